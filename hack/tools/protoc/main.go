// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

// Command protoc is as much of the protocol buffer compiler as go-to-protobuf
// asks for, written in Go, so that generating needs nothing but Go:
//
//	protoc -I DIR... --gogo_out=DIR FILE...
//
// It compiles each file and hands the descriptors to the gogo generator, which
// is linked in. The generated files are written below the directory given with
// --gogo_out, each beside where its source has its place in the import path.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/bufbuild/protocompile"
	_ "github.com/gogo/protobuf/gogoproto" // the options that the generator reads
	gogo "github.com/gogo/protobuf/proto"
	gogodescriptor "github.com/gogo/protobuf/protoc-gen-gogo/descriptor"
	plugin "github.com/gogo/protobuf/protoc-gen-gogo/plugin"
	"github.com/gogo/protobuf/vanity/command"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
)

func main() {
	if err := run(context.Background(), os.Args[1:]); err != nil {
		fmt.Fprintf(os.Stderr, "protoc: %v\n", err)
		os.Exit(1)
	}
}

// invocation is what the command line asks for.
type invocation struct {
	importPaths []string
	out         string
	files       []string
}

// parse reads a command line of protoc. The package flag does not do: an
// import path is given as `-I DIR` and as `-IDIR`.
func parse(args []string) (invocation, error) {
	var inv invocation
	for i := 0; i < len(args); i++ {
		switch arg := args[i]; {
		case arg == "-I":
			i++
			if i == len(args) {
				return inv, errors.New("-I needs a directory")
			}
			inv.importPaths = append(inv.importPaths, args[i])
		case strings.HasPrefix(arg, "-I"):
			inv.importPaths = append(inv.importPaths, strings.TrimPrefix(arg, "-I"))
		case strings.HasPrefix(arg, "--gogo_out="):
			inv.out = strings.TrimPrefix(arg, "--gogo_out=")
		case strings.HasPrefix(arg, "-"):
			return inv, fmt.Errorf("unknown flag %s", arg)
		default:
			inv.files = append(inv.files, arg)
		}
	}
	if inv.out == "" || len(inv.files) == 0 {
		return inv, errors.New("usage: protoc -I DIR... --gogo_out=DIR FILE...")
	}
	return inv, nil
}

func run(ctx context.Context, args []string) error {
	inv, err := parse(args)
	if err != nil {
		return err
	}
	for i, file := range inv.files {
		if inv.files[i], err = importName(file, inv.importPaths); err != nil {
			return err
		}
	}
	request, err := compile(ctx, inv)
	if err != nil {
		return err
	}
	response := command.Generate(request)
	if msg := response.GetError(); msg != "" {
		return fmt.Errorf("generating: %s", msg)
	}
	for _, file := range response.File {
		path := filepath.Join(inv.out, file.GetName())
		if err := os.WriteFile(path, []byte(file.GetContent()), 0o644); err != nil {
			return fmt.Errorf("writing what was generated: %w", err)
		}
	}
	return nil
}

// importName turns the path of a file into the name by which others import it:
// the path relative to the directory of the import path that holds it.
func importName(file string, importPaths []string) (string, error) {
	for _, dir := range importPaths {
		name, err := filepath.Rel(dir, file)
		if err == nil && filepath.IsLocal(name) {
			return filepath.ToSlash(name), nil
		}
	}
	return "", fmt.Errorf("%s is in none of the import paths %q", file, importPaths)
}

// compile makes the request that protoc would send to its plug-in: the
// descriptors of the files and of all that they import, importees first.
func compile(ctx context.Context, inv invocation) (*plugin.CodeGeneratorRequest, error) {
	compiler := protocompile.Compiler{
		Resolver:       protocompile.WithStandardImports(&protocompile.SourceResolver{ImportPaths: inv.importPaths}),
		SourceInfoMode: protocompile.SourceInfoStandard,
	}
	compiled, err := compiler.Compile(ctx, inv.files...)
	if err != nil {
		return nil, fmt.Errorf("compiling: %w", err)
	}
	set := &descriptorpb.FileDescriptorSet{}
	seen := map[string]bool{}
	for _, file := range compiled {
		collect(file, seen, set)
	}
	// Two implementations of protocol buffers meet here: only the bytes are
	// common to them.
	data, err := proto.Marshal(set)
	if err != nil {
		return nil, fmt.Errorf("encoding the descriptors: %w", err)
	}
	var gogoSet gogodescriptor.FileDescriptorSet
	if err := gogo.Unmarshal(data, &gogoSet); err != nil {
		return nil, fmt.Errorf("decoding the descriptors: %w", err)
	}
	return &plugin.CodeGeneratorRequest{
		FileToGenerate: slices.Clone(inv.files),
		Parameter:      gogo.String("paths=source_relative"),
		ProtoFile:      gogoSet.File,
	}, nil
}

func collect(file protoreflect.FileDescriptor, seen map[string]bool, set *descriptorpb.FileDescriptorSet) {
	if seen[file.Path()] {
		return
	}
	seen[file.Path()] = true
	for i := range file.Imports().Len() {
		collect(file.Imports().Get(i).FileDescriptor, seen, set)
	}
	set.File = append(set.File, protodesc.ToFileDescriptorProto(file))
}
