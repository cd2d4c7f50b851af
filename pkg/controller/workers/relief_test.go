// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package workers

import (
	"context"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/apimachinery/pkg/types"
)

// TestPoolRelievesWorkersThatAreHeldUp gives a pool of two workers objects that
// hold a worker up until the end, and others.
func TestPoolRelievesWorkersThatAreHeldUp(t *testing.T) {
	const after, most = 30 * time.Second, 4
	for name, tc := range map[string]struct {
		slow int
		// passes is after how long the quick one is done; 0 for never.
		passes time.Duration
	}{
		"a worker is free":                   {1, time.Second},
		"all are held up":                    {2, after + time.Second},
		"and so are those in their place":    {3, after + time.Second},
		"there are never more than the most": {4, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				var mu sync.Mutex
				busy, busiest, done := 0, 0, false
				pool := NewPool("test", func(ctx context.Context, key types.NamespacedName) (time.Duration, error) {
					mu.Lock()
					busy++
					busiest = max(busiest, busy)
					done = done || key.Name == "quick"
					mu.Unlock()
					if strings.HasPrefix(key.Name, "slow") {
						<-ctx.Done()
					}
					mu.Lock()
					busy--
					mu.Unlock()
					return 0, nil
				}, func(string, time.Duration, error) {}).WithRelief(after, most)
				for n := range tc.slow {
					pool.Add(types.NamespacedName{Name: "slow-" + string(rune('a'+n))})
				}
				pool.Add(types.NamespacedName{Name: "quick"})
				ended := make(chan struct{})
				go func() { pool.Run(ctx, 2); close(ended) }()

				wait := tc.passes
				if wait == 0 {
					wait = time.Hour
				}
				time.Sleep(wait)
				synctest.Wait()
				mu.Lock()
				if done != (tc.passes > 0) {
					t.Errorf("after %s the quick one is done: %v", wait, done)
				}
				if busiest > most {
					t.Errorf("%d workers were busy at once", busiest)
				}
				mu.Unlock()
				cancel()
				<-ended
			})
		})
	}
}
