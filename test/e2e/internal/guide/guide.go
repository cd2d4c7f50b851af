// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

// Package guide reads the commands out of a page of docs, so that tests run what
// users are told to.
package guide

import (
	"fmt"
	"os"
	"regexp"
	"strings"
)

// Guide is a page: its blocks of code by heading and language.
type Guide map[[2]string]string

var (
	section = regexp.MustCompile(`(?m)^## (.*)$`)
	block   = regexp.MustCompile("(?ms)^```([a-z]+)\n(.*?)^```$")
)

// Read reads a page.
func Read(path string) (Guide, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading a guide: %w", err)
	}
	text := string(data)
	g := Guide{}
	sections := section.FindAllStringSubmatchIndex(text, -1)
	for n, at := range sections {
		end := len(text)
		if n+1 < len(sections) {
			end = sections[n+1][0]
		}
		for _, code := range block.FindAllStringSubmatch(text[at[1]:end], -1) {
			g[[2]string{text[at[2]:at[3]], code[1]}] += code[2]
		}
	}
	return g, nil
}

// Code returns what a section has in a language.
func (g Guide) Code(section, language string) (string, error) {
	code := g[[2]string{section, language}]
	if code == "" {
		return "", fmt.Errorf("the guide has no %s in its section %q", language, section)
	}
	return code, nil
}

// Commands returns what a section has to type in.
func (g Guide) Commands(section string) ([]string, error) {
	code, err := g.Code(section, "console")
	if err != nil {
		return nil, err
	}
	// A backslash or a pipe at the end of a line: there is more of the command.
	code = strings.NewReplacer("\\\n", "", "|\n", "|").Replace(code)
	var all []string
	for line := range strings.Lines(code) {
		if command, ok := strings.CutPrefix(line, "$ "); ok {
			all = append(all, strings.TrimSpace(command))
		}
	}
	return all, nil
}
