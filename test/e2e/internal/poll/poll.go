// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

// Package poll waits for what comes to pass by itself.
package poll

import (
	"context"
	"fmt"
	"time"
)

// pause is the time between two tries.
const pause = 100 * time.Millisecond

// Until calls try until it succeeds. It returns the last error of try when that does
// not happen within the timeout, or before ctx ends.
func Until(ctx context.Context, timeout time.Duration, try func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	for {
		err := try(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("after %s: %w", timeout, err)
		case <-time.After(pause):
		}
	}
}
