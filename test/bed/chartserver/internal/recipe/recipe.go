// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package recipe

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"strings"

	"sigs.k8s.io/yaml"
)

// Suffix marks a file to be expanded.
const Suffix = ".recipe.yaml"

const (
	kindDefinitions = "CustomResourceDefinitions"
	kindNoise       = "Noise"
)

// recipe is the content of one *.recipe.yaml file.
type recipe struct {
	Recipe string `json:"recipe"`

	// Guard is a Helm template condition that wraps the output; Labels and
	// Annotations name template definitions included in every object's
	// metadata. Only for files below templates/.
	Guard       string `json:"guard,omitempty"`
	Labels      string `json:"labels,omitempty"`
	Annotations string `json:"annotations,omitempty"`

	// Metadata is merged into the metadata of every definition as it stands.
	Metadata map[string]any `json:"metadata,omitempty"`

	// From is a file of the charts' sources that has further types and
	// definitions, for recipes that share them.
	From string `json:"from,omitempty"`

	Types       map[string]any `json:"types,omitempty"`
	Definitions []definition   `json:"definitions,omitempty"`

	// Bytes and Seed shape Noise: text that does not compress.
	Bytes int    `json:"bytes,omitempty"`
	Seed  uint64 `json:"seed,omitempty"`
}

// Expand returns what the recipe in source, one of the files in fsys, stands
// for. The same source gives the same bytes, always.
func Expand(fsys fs.FS, source []byte) ([]byte, error) {
	var r recipe
	if err := yaml.UnmarshalStrict(source, &r); err != nil {
		return nil, fmt.Errorf("reading the recipe: %w", err)
	}
	if r.From != "" {
		if err := r.join(fsys, r.From); err != nil {
			return nil, err
		}
	}
	switch r.Recipe {
	case kindDefinitions:
		return r.expandDefinitions()
	case kindNoise:
		return noise(r.Bytes, r.Seed), nil
	default:
		return nil, fmt.Errorf("recipe: unknown kind %q, want %s or %s", r.Recipe, kindDefinitions, kindNoise)
	}
}

// join adds the types and definitions of another file.
func (r *recipe) join(fsys fs.FS, name string) error {
	source, err := fs.ReadFile(fsys, name)
	if err != nil {
		return fmt.Errorf("reading a shared recipe: %w", err)
	}
	var shared recipe
	if err := yaml.UnmarshalStrict(source, &shared); err != nil {
		return fmt.Errorf("reading the shared recipe %s: %w", name, err)
	}
	if r.Types == nil {
		r.Types = map[string]any{}
	}
	for key, value := range shared.Types {
		r.Types[key] = value
	}
	r.Definitions = append(r.Definitions, shared.Definitions...)
	return nil
}

// noise returns size bytes of base64 text, the same for the same seed.
func noise(size int, seed uint64) []byte {
	var key [32]byte
	for i := range 8 {
		key[i] = byte(seed >> (8 * i))
	}
	raw := make([]byte, size*3/4+3)
	source := rand.NewChaCha8(key)
	for i := range raw {
		raw[i] = byte(source.Uint64())
	}
	return []byte(base64.StdEncoding.EncodeToString(raw)[:size])
}

func (r *recipe) expandDefinitions() ([]byte, error) {
	shapes, err := newShapes(r.Types)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	if r.Guard != "" {
		fmt.Fprintf(&out, "{{- if %s }}\n", r.Guard)
	}
	for i := range r.Definitions {
		object, err := r.Definitions[i].object(shapes, r.Metadata)
		if err != nil {
			return nil, fmt.Errorf("definition of %s: %w", r.Definitions[i].Kind, err)
		}
		text, err := r.render(object)
		if err != nil {
			return nil, fmt.Errorf("definition of %s: %w", r.Definitions[i].Kind, err)
		}
		out.WriteString("---\n")
		out.WriteString(text)
	}
	if r.Guard != "" {
		out.WriteString("{{- end }}\n")
	}
	return out.Bytes(), nil
}

// render writes the object as YAML, with what the templates add to it.
func (r *recipe) render(object map[string]any) (string, error) {
	raw, err := yaml.Marshal(object)
	if err != nil {
		return "", err
	}
	text := string(raw)
	if r.Labels == "" && r.Annotations == "" && r.Guard == "" {
		return text, nil
	}
	// Documentation may contain what a template would take for an action.
	text = strings.ReplaceAll(text, "{{", `{{ "{{" }}`)
	if r.Labels != "" {
		include := fmt.Sprintf("metadata:\n  labels:\n    {{- include %q . | nindent 4 }}\n", r.Labels)
		text = strings.Replace(text, "metadata:\n", include, 1)
	}
	if r.Annotations != "" {
		include := fmt.Sprintf("  annotations:\n    {{- include %q . | nindent 4 }}\n", r.Annotations)
		text = strings.Replace(text, "  annotations:\n", include, 1)
	}
	return text, nil
}
