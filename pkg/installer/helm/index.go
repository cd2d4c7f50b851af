// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package helm

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"sigs.k8s.io/yaml"

	"ksit.io/ksit/pkg/safeyaml"
)

const (
	// maxIndexBytes bounds index.yaml. Those of large public repositories are
	// 4 to 20 MB.
	maxIndexBytes = 64 << 20
	// maxWholeIndexBytes bounds an index that must be decoded as a whole,
	// which takes some thirty times its size.
	maxWholeIndexBytes = 4 << 20
	maxIndexItemBytes  = 1 << 20
	maxIndexVersions   = 20_000
	maxIndexNames      = 5_000
)

// chartVersions is what an index says of one chart.
type chartVersions struct {
	// names are those of all charts of the index, for suggestions.
	names    []string
	versions []indexEntry
}

type indexEntry struct {
	Version string   `json:"version"`
	URLs    []string `json:"urls"`
	Digest  string   `json:"digest"`
	Removed bool     `json:"removed"`
}

func (c chartVersions) list() []string {
	out := make([]string, len(c.versions))
	for i, v := range c.versions {
		out[i] = v.Version
	}
	return out
}

func (c chartVersions) entry(version string) (indexEntry, bool) {
	for _, v := range c.versions {
		if v.Version == version {
			return v, true
		}
	}
	return indexEntry{}, false
}

var errIndexForm = errors.New("not the index of a chart repository")

// parseIndex reads what an index says of one chart.
//
// A decoded index takes some thirty times the memory of its text, most of it
// for charts that nobody asked for. So the text is cut by its indentation,
// which is enough where it is written in block style, as by every tool that
// writes one; and only the versions of the chart are decoded, one by one.
func parseIndex(data []byte, chart string) (chartVersions, error) {
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	if trimmed := bytes.TrimLeft(data, " \r\n\t"); len(trimmed) > 0 && trimmed[0] == '{' {
		return parseJSONIndex(trimmed, chart)
	}
	found, err := scanIndex(data, chart)
	if err == nil {
		return found, nil
	}
	if len(data) > maxWholeIndexBytes || safeyaml.Bounded(data) != nil {
		return chartVersions{}, err
	}
	return parseWholeIndex(data, chart)
}

// scanIndex cuts the text.
func scanIndex(data []byte, chart string) (chartVersions, error) {
	var out chartVersions
	var (
		inEntries, inChart bool
		keyIndent          = -1
		itemIndent         = -1
		itemStart          = -1 // where the version being read begins
	)
	flush := func(end int) error {
		if itemStart < 0 {
			return nil
		}
		item := data[itemStart:end]
		itemStart = -1
		return out.add(item)
	}
	for offset := 0; offset < len(data); {
		line := data[offset:]
		if end := bytes.IndexByte(line, '\n'); end >= 0 {
			line = line[:end+1]
		}
		start := offset
		offset += len(line)
		text := bytes.TrimRight(line, " \r\n")
		content := bytes.TrimLeft(text, " ")
		indent := len(text) - len(content)
		if len(content) == 0 || (content[0] == '#' && indent <= max(keyIndent, 0)) {
			continue
		}
		if indent == 0 && !bytes.HasPrefix(content, []byte("-")) {
			// A key of the document itself, or its end.
			if err := flush(start); err != nil {
				return out, err
			}
			inChart = false
			rest, isEntries := bytes.CutPrefix(content, []byte("entries:"))
			if isEntries && inEntries {
				return out, errIndexForm
			}
			if isEntries {
				switch strings.TrimSpace(string(rest)) {
				case "":
					inEntries = true
				case "{}":
					return out, nil
				default:
					return out, errIndexForm
				}
				keyIndent = -1
				continue
			}
			if inEntries {
				return out, nil
			}
			continue
		}
		if !inEntries {
			continue
		}
		if keyIndent < 0 {
			keyIndent = indent
		}
		if indent < keyIndent {
			return out, errIndexForm
		}
		isDash := content[0] == '-' && (len(content) == 1 || content[1] == ' ')
		if indent == keyIndent && !isDash {
			if err := flush(start); err != nil {
				return out, err
			}
			name, err := indexKey(content)
			if err != nil {
				return out, err
			}
			if len(out.names) < maxIndexNames {
				out.names = append(out.names, strings.Clone(name))
			}
			inChart, itemIndent = name == chart, -1
			continue
		}
		if !inChart {
			continue
		}
		if itemIndent < 0 && isDash {
			itemIndent = indent
		}
		if indent == itemIndent && isDash {
			if err := flush(start); err != nil {
				return out, err
			}
			itemStart = start
			continue
		}
		if itemStart < 0 || indent <= itemIndent {
			return out, errIndexForm
		}
	}
	if err := flush(len(data)); err != nil {
		return out, err
	}
	if !inEntries {
		return out, errIndexForm
	}
	return out, nil
}

// indexKey returns the name of a chart from the line that begins its versions.
func indexKey(content []byte) (string, error) {
	var key map[string][]json.RawMessage
	if len(content) > 512 || yaml.Unmarshal(content, &key) != nil || len(key) != 1 {
		return "", errIndexForm
	}
	for name, versions := range key {
		if len(versions) > 0 {
			return "", errIndexForm
		}
		return name, nil
	}
	return "", errIndexForm
}

// add decodes one version. One that cannot be decoded, or has no URL, is left
// out, as Helm does.
func (c *chartVersions) add(item []byte) error {
	if len(item) > maxIndexItemBytes || safeyaml.Bounded(item) != nil {
		return nil
	}
	var entries []indexEntry
	if err := yaml.Unmarshal(item, &entries); err != nil {
		return nil
	}
	for _, e := range entries {
		if err := c.append(e); err != nil {
			return err
		}
	}
	return nil
}

func (c *chartVersions) append(e indexEntry) error {
	if e.Version == "" || len(e.URLs) == 0 || e.Removed {
		return nil
	}
	if len(c.versions) == maxIndexVersions {
		return fmt.Errorf("the chart has more than %d versions", maxIndexVersions)
	}
	e.URLs = e.URLs[:1]
	c.versions = append(c.versions, e)
	return nil
}

func parseWholeIndex(data []byte, chart string) (chartVersions, error) {
	var whole struct {
		Entries map[string]json.RawMessage `json:"entries"`
	}
	if err := yaml.Unmarshal(data, &whole); err != nil || whole.Entries == nil {
		return chartVersions{}, errIndexForm
	}
	var out chartVersions
	for name, raw := range whole.Entries {
		if len(out.names) < maxIndexNames {
			out.names = append(out.names, name)
		}
		if name != chart {
			continue
		}
		var entries []indexEntry
		if err := json.Unmarshal(raw, &entries); err != nil {
			return out, errIndexForm
		}
		for _, e := range entries {
			if err := out.append(e); err != nil {
				return out, err
			}
		}
	}
	return out, nil
}

// parseJSONIndex reads an index that is written as JSON, token by token.
func parseJSONIndex(data []byte, chart string) (chartVersions, error) {
	var out chartVersions
	d := json.NewDecoder(bytes.NewReader(data))
	err := eachMember(d, func(key string) error {
		if key != "entries" {
			return skipValue(d)
		}
		return eachMember(d, func(name string) error {
			if len(out.names) < maxIndexNames {
				out.names = append(out.names, name)
			}
			if name != chart {
				return skipValue(d)
			}
			if t, err := d.Token(); err != nil || t != json.Delim('[') {
				return errIndexForm
			}
			for d.More() {
				var e indexEntry
				if err := d.Decode(&e); err != nil {
					return errIndexForm
				}
				if err := out.append(e); err != nil {
					return err
				}
			}
			_, err := d.Token()
			return err
		})
	})
	if err != nil {
		return chartVersions{}, err
	}
	return out, nil
}

// eachMember calls read with each key of an object; it must read the value.
func eachMember(d *json.Decoder, read func(key string) error) error {
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return errIndexForm
	}
	for d.More() {
		t, err := d.Token()
		if err != nil {
			return errIndexForm
		}
		key, ok := t.(string)
		if !ok {
			return errIndexForm
		}
		if err := read(key); err != nil {
			return err
		}
	}
	if _, err := d.Token(); err != nil {
		return errIndexForm
	}
	return nil
}

// skipValue reads over a value without keeping it.
func skipValue(d *json.Decoder) error {
	for depth := 0; ; {
		t, err := d.Token()
		if err != nil {
			return errIndexForm
		}
		if delim, ok := t.(json.Delim); ok {
			switch delim {
			case '{', '[':
				depth++
			default:
				depth--
			}
		}
		if depth == 0 {
			return nil
		}
	}
}
