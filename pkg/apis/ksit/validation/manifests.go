// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package validation

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"ksit.io/ksit/pkg/safeyaml"
)

const (
	// maxManifestsBytes bounds manifests that stand in the object itself.
	maxManifestsBytes = 256 << 10
	// maxParserText bounds what is repeated of a parser's words.
	maxParserText = 120
)

var linePattern = regexp.MustCompile("line [0-9]+")

func validateManifests(manifests string, path *field.Path) field.ErrorList {
	if len(manifests) > maxManifestsBytes {
		return field.ErrorList{field.TooLong(path, "", maxManifestsBytes)}
	}
	if err := checkManifests([]byte(manifests)); err != nil {
		return field.ErrorList{field.Invalid(path, field.OmitValueType{}, err.Error())}
	}
	return nil
}

// checkManifests checks that stream holds Kubernetes objects, as far as can be
// told without a cluster: each document is a map with apiVersion, kind and,
// unless it is a list, a name.
func checkManifests(stream []byte) error {
	// The same reader as the installer's: what is accepted here is what it
	// takes.
	documents := safeyaml.NewDocuments(stream)
	objects := 0
	for number := 1; ; number++ {
		document, err := documents.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return fmt.Errorf("document %d is no YAML: %s", number, parserText(err))
		}
		var content any
		if len(document) > 0 {
			if err := json.Unmarshal(document, &content); err != nil {
				return fmt.Errorf("document %d is no JSON: %s", number, parserText(err))
			}
		}
		if content == nil {
			continue
		}
		if err := checkObject(content); err != nil {
			return fmt.Errorf("document %d %w", number, err)
		}
		objects++
	}
	if objects == 0 {
		return errors.New("must hold at least one Kubernetes object")
	}
	return nil
}

func checkObject(content any) error {
	object, isMap := content.(map[string]any)
	if !isMap {
		return errors.New("must be a Kubernetes object, with apiVersion, kind and metadata")
	}
	for _, key := range []string{"apiVersion", "kind"} {
		if text, _ := object[key].(string); text == "" {
			return fmt.Errorf("must have a text at %s", key)
		}
	}
	if kind, _ := object["kind"].(string); strings.HasSuffix(kind, "List") {
		if _, isList := object["items"].([]any); isList {
			return nil
		}
	}
	metadata, _ := object["metadata"].(map[string]any)
	if name, _ := metadata["name"].(string); name == "" {
		return errors.New("must have a text at metadata.name")
	}
	return nil
}

// parserText is what a YAML parser says, without what it repeats of the
// document: that may be part of a Secret.
func parserText(err error) string {
	text := strings.TrimPrefix(err.Error(), "error converting YAML to JSON: ")
	text = strings.TrimPrefix(text, "yaml: ")
	if len(text) <= maxParserText && !strings.ContainsAny(text, "`'\"\n") {
		return text
	}
	if line := linePattern.FindString(text); line != "" {
		return "the fault is in " + line
	}
	return "it cannot be parsed"
}
