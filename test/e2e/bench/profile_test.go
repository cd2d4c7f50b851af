// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
	"k8s.io/client-go/rest"
)

// profileSeconds is how long each CPU profile is taken.
const profileSeconds = 6

var errProfiled = errors.New("the profiles are taken")

// profileAPI takes CPU profiles of the host's API server and of KSIT's, one pair
// for each way to KSIT and each of two verbs, into the files
// VERB-SUBJECT-SERVER.pprof of a directory.
func profileAPI(b *testing.B, dir string, subjects []*subject, servers map[string]*rest.Config) {
	b.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		b.Fatal(err)
	}
	for verb, do := range map[string]call{
		"get":    func(ctx context.Context, s *subject, c *http.Client, n int) error { return s.get(ctx, c, n%objects) },
		"create": func(ctx context.Context, s *subject, c *http.Client, n int) error { return s.create(ctx, c, objects+n) },
	} {
		for _, s := range subjects {
			ctx, cancel := context.WithCancelCause(b.Context())
			var profiles errgroup.Group
			for server, config := range servers {
				path := filepath.Join(dir, fmt.Sprintf("%s-%s-%s.pprof", verb, s.name, server))
				profiles.Go(func() error { return takeProfile(b.Context(), config, path) })
			}
			go func() { cancel(errors.Join(profiles.Wait(), errProfiled)) }()
			if _, err := s.each(ctx, 0, 1<<30, do); !errors.Is(err, errProfiled) {
				b.Fatal(err)
			}
			if err := profiles.Wait(); err != nil {
				b.Fatal(err)
			}
		}
	}
}

func takeProfile(ctx context.Context, config *rest.Config, path string) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	client, err := rest.HTTPClientFor(config)
	if err != nil {
		return err
	}
	url := fmt.Sprintf("%s/debug/pprof/profile?seconds=%d", config.Host, profileSeconds)
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	profile, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("profiling %s: %s", config.Host, response.Status)
	}
	return os.WriteFile(path, profile, 0o644)
}
