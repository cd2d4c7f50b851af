// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package sources

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"ksit.io/ksit/pkg/installer"
)

// Digest is that of the manifests and values among sources: what decides what is
// on the target. Credentials, certificates and keys do not, and a password that
// was changed is no reason to upgrade anything. It is empty where there are
// neither manifests nor values.
func Digest(sources installer.Sources) string {
	if len(sources.Manifests) == 0 && len(sources.Values) == 0 {
		return ""
	}
	h := sha256.New()
	part := func(content []byte) {
		// With their lengths, so that no two lists are the same stream.
		fmt.Fprintf(h, "%d:", len(content))
		h.Write(content)
	}
	part(sources.Manifests)
	for _, values := range sources.Values {
		part([]byte(values.TargetPath))
		part(values.Content)
	}
	return "sha256:" + hex.EncodeToString(h.Sum(nil))
}
