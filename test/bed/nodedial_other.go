// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package bed

import (
	"context"
	"errors"
	"net"
)

func dialFrom(context.Context, int, string, string) (net.Conn, error) {
	return nil, errors.New("there are no nodes but on Linux")
}
