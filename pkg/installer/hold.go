// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package installer

import (
	"encoding/json"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
)

// maxHold bounds what is read of a hold from a target, where anybody may have
// written it.
const maxHold = 4 << 10

// DecodeHold reads a hold as an installer left it on a target. It is nil for what
// is none: then nothing is held back.
func DecodeHold(text string) *v1alpha1.Hold {
	if text == "" || len(text) > maxHold {
		return nil
	}
	var hold v1alpha1.Hold
	if err := json.Unmarshal([]byte(text), &hold); err != nil || hold.Digest == "" || hold.Revision <= 0 {
		return nil
	}
	return &hold
}
