// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

// Package console reads the commands out of documents, for tests that check whether
// there are such commands.
package console

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// Line is a command as a document has it.
type Line struct {
	// Document is its path from the root of the repository.
	Document string
	// Text is the whole line, those that it goes on in joined to it.
	Text string
	// Words are those of the command itself: without what comes after a pipe, a
	// redirection or a comment, and without variables that are set before it.
	Words []string
}

var (
	block       = regexp.MustCompile("(?ms)^```(\\w*)\n(.*?)^```")
	goesOn      = regexp.MustCompile(`\s*\\\n\s*`)
	heredoc     = regexp.MustCompile(`(?ms)<<-?'?(\w+)'?[^\n]*\n(.*?)^\s*(\w+)$`)
	placeholder = regexp.MustCompile(`<([A-Za-z][A-Za-z-]*)>`)
	variable    = regexp.MustCompile(`^[A-Za-z_]+=`)
)

// Documents are the paths of all documents, by the root of the repository.
func Documents(root string) ([]string, error) {
	found, err := filepath.Glob(filepath.Join(root, "docs", "*.md"))
	paths := []string{"README.md", "CONTRIBUTING.md"}
	for _, name := range found {
		paths = append(paths, "docs/"+filepath.Base(name))
	}
	return paths, err
}

// Read returns the commands of all documents that begin with the given words, such
// as a program and a command of it.
func Read(root string, words ...string) ([]Line, error) {
	paths, err := Documents(root)
	if err != nil {
		return nil, err
	}
	var lines []Line
	for _, path := range paths {
		content, err := os.ReadFile(filepath.Join(root, path))
		if err != nil {
			return nil, err
		}
		for _, line := range Commands(path, string(content)) {
			if begins(line.Words, words) {
				lines = append(lines, line)
			}
		}
	}
	return lines, nil
}

func begins(all, first []string) bool {
	if len(all) < len(first) {
		return false
	}
	for n, word := range first {
		if all[n] != word {
			return false
		}
	}
	return true
}

// Commands returns the commands in the blocks of a document: in those of the language
// console, what follows a prompt, in those of bash everything.
func Commands(path, text string) []Line {
	var lines []Line
	for _, match := range block.FindAllStringSubmatch(text, -1) {
		content := goesOn.ReplaceAllString(heredoc.ReplaceAllString(match[2], "<<EOF\n"), " ")
		for line := range strings.Lines(content) {
			line = strings.TrimSpace(line)
			switch match[1] {
			case "console":
				command, prompted := strings.CutPrefix(line, "$ ")
				if !prompted {
					continue
				}
				line = command
			case "bash", "sh":
			default:
				continue
			}
			if words := split(line); len(words) > 0 {
				lines = append(lines, Line{path, line, words})
			}
		}
	}
	return lines
}

// YAML returns the blocks of YAML of a document, and what its commands are given as
// documents of their own.
func YAML(text string) []string {
	var all []string
	for _, match := range block.FindAllStringSubmatch(text, -1) {
		switch match[1] {
		case "yaml":
			all = append(all, match[2])
		case "console", "bash", "sh":
			for _, here := range heredoc.FindAllStringSubmatch(match[2], -1) {
				all = append(all, here[2])
			}
		}
	}
	return all
}

// split splits a command as a shell does, as far as documents need it.
func split(line string) []string {
	line = placeholder.ReplaceAllString(line, "$1")
	var words []string
	var word strings.Builder
	var quote rune
	begun, over := false, false
	end := func() {
		if begun && !(len(words) == 0 && variable.MatchString(word.String())) {
			words = append(words, word.String())
		}
		word.Reset()
		begun = false
	}
	for _, r := range line {
		switch {
		case quote != 0 && r == quote:
			quote = 0
			continue
		case quote == 0 && (r == '\'' || r == '"'):
			quote, begun = r, true
			continue
		case quote == 0 && (r == ' ' || r == '\t'):
			end()
			continue
		case quote == 0 && (strings.ContainsRune("|;&<>", r) || r == '#' && !begun):
			over = true
		}
		if over {
			break
		}
		word.WriteRune(r)
		begun = true
	}
	end()
	return words
}
