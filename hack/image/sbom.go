// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"regexp"
	"runtime/debug"
	"strings"
	"time"
)

// spdxDocument is a bill of materials as SPDX 2.3 has it, as far as a Go program
// knows of its parts.
type spdxDocument struct {
	SPDXVersion       string             `json:"spdxVersion"`
	DataLicense       string             `json:"dataLicense"`
	SPDXID            string             `json:"SPDXID"`
	Name              string             `json:"name"`
	DocumentNamespace string             `json:"documentNamespace"`
	CreationInfo      spdxCreation       `json:"creationInfo"`
	Packages          []spdxPackage      `json:"packages"`
	Relationships     []spdxRelationship `json:"relationships"`
}

type spdxCreation struct {
	Created  string   `json:"created"`
	Creators []string `json:"creators"`
}

type spdxPackage struct {
	SPDXID           string          `json:"SPDXID"`
	Name             string          `json:"name"`
	VersionInfo      string          `json:"versionInfo,omitempty"`
	DownloadLocation string          `json:"downloadLocation"`
	FilesAnalyzed    bool            `json:"filesAnalyzed"`
	LicenseConcluded string          `json:"licenseConcluded"`
	LicenseDeclared  string          `json:"licenseDeclared"`
	CopyrightText    string          `json:"copyrightText"`
	Checksums        []spdxChecksum  `json:"checksums,omitempty"`
	ExternalRefs     []spdxReference `json:"externalRefs,omitempty"`
}

type spdxChecksum struct {
	Algorithm string `json:"algorithm"`
	Value     string `json:"checksumValue"`
}

type spdxReference struct {
	Category string `json:"referenceCategory"`
	Type     string `json:"referenceType"`
	Locator  string `json:"referenceLocator"`
}

type spdxRelationship struct {
	Element string `json:"spdxElementId"`
	Type    string `json:"relationshipType"`
	Related string `json:"relatedSpdxElement"`
}

const (
	spdxRoot    = "SPDXRef-DOCUMENT"
	noAssertion = "NOASSERTION"
)

// billOfMaterials lists what is linked into a program: by what the linker recorded
// in it, and not by what go.mod would allow.
func billOfMaterials(info *buildinfo.BuildInfo, reference, platform string, created time.Time) ([]byte, error) {
	main := spdxPackage{
		SPDXID: "SPDXRef-ksit", Name: info.Main.Path, VersionInfo: reference[strings.LastIndexByte(reference, ':')+1:],
		DownloadLocation: noAssertion, LicenseConcluded: noAssertion, LicenseDeclared: "Apache-2.0", CopyrightText: noAssertion,
	}
	toolchain := spdxPackage{
		SPDXID: "SPDXRef-go", Name: "std", VersionInfo: strings.TrimPrefix(info.GoVersion, "go"),
		DownloadLocation: "https://go.dev/dl", LicenseConcluded: noAssertion, LicenseDeclared: "BSD-3-Clause", CopyrightText: noAssertion,
		ExternalRefs: []spdxReference{purl("pkg:golang/std@" + strings.TrimPrefix(info.GoVersion, "go"))},
	}
	document := spdxDocument{
		SPDXVersion:  "SPDX-2.3",
		DataLicense:  "CC0-1.0",
		SPDXID:       spdxRoot,
		Name:         reference + " " + platform,
		CreationInfo: spdxCreation{Created: created.UTC().Format(time.RFC3339), Creators: []string{"Tool: ksit-hack-image", "Organization: The KSIT Authors"}},
		Packages:     []spdxPackage{main, toolchain},
		Relationships: []spdxRelationship{
			{spdxRoot, "DESCRIBES", main.SPDXID},
			{main.SPDXID, "STATIC_LINK", toolchain.SPDXID},
		},
	}
	for _, dep := range info.Deps {
		p, err := spdxModule(effective(dep))
		if err != nil {
			return nil, err
		}
		document.Packages = append(document.Packages, p)
		document.Relationships = append(document.Relationships, spdxRelationship{main.SPDXID, "STATIC_LINK", p.SPDXID})
	}
	// Different for each content, and the same for the same.
	packages, err := json.Marshal(document)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(packages)
	document.DocumentNamespace = "https://ksit.io/spdx/" + hex.EncodeToString(sum[:16])
	return json.MarshalIndent(document, "", "  ")
}

var notInID = regexp.MustCompile(`[^A-Za-z0-9.-]+`)

func spdxModule(m *debug.Module) (spdxPackage, error) {
	p := spdxPackage{
		SPDXID: "SPDXRef-" + notInID.ReplaceAllString(m.Path+"-"+m.Version, "-"), Name: m.Path, VersionInfo: m.Version,
		DownloadLocation: noAssertion, LicenseConcluded: noAssertion, LicenseDeclared: noAssertion, CopyrightText: noAssertion,
		ExternalRefs: []spdxReference{purl("pkg:golang/" + m.Path + "@" + strings.ReplaceAll(m.Version, "+", "%2B"))},
	}
	if hash, ok := strings.CutPrefix(m.Sum, "h1:"); ok {
		sum, err := base64.StdEncoding.DecodeString(hash)
		if err != nil {
			return p, fmt.Errorf("reading the checksum of %s: %w", m.Path, err)
		}
		p.Checksums = []spdxChecksum{{"SHA256", hex.EncodeToString(sum)}}
	}
	return p, nil
}

func purl(locator string) spdxReference {
	return spdxReference{Category: "PACKAGE-MANAGER", Type: "purl", Locator: locator}
}
