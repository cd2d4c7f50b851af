// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
)

// TestKill kills KSIT with SIGKILL at random moments while it installs and
// upgrades. Nothing is lost, nothing installed twice, and no release is stuck.
// KSIT_SEED replays the moments of a run.
func TestKill(t *testing.T) {
	random := seeded(t)
	ns := namespace(t, "one", "two")
	const count = 6
	name := func(n int) string { return fmt.Sprintf("app-%d", n) }
	chart := func(n int) string { return []string{"podinfo-lite", "crd-then-cr"}[n%2] }
	for _, version := range []string{"1.0.0", "1.1.0"} {
		for n := range count {
			v := version
			if chart(n) == "crd-then-cr" {
				v = "1.0.0"
			}
			extra := ""
			if version == "1.1.0" {
				extra = "      values: {round: two}\n"
			}
			kubectl(t, generic(ns, name(n), chart(n), v, []string{"one", "two"}, extra), "apply", "-f", "-")
		}
		for range 3 {
			time.Sleep(time.Duration(random.IntN(1500)) * time.Millisecond)
			s.restart(t)
		}
		for n := range count {
			waitPhase(t, ns, name(n), v1alpha1.PhaseRunning)
		}
	}
	for _, target := range s.bed.Targets[:2] {
		releases := helmList(t, target.Kubeconfig)
		for n := range count {
			r, there := releases[name(n)+"/"+name(n)]
			if !there || r.Status != "deployed" {
				t.Errorf("%s: release %s is %+v", target.Name, name(n), r)
				continue
			}
			// Two specs make two revisions; each kill may add one that was cut
			// short, and none may be left pending.
			history := helmHistory(t, target.Kubeconfig, name(n))
			deployed := 0
			for _, h := range history {
				if strings.HasPrefix(h.Status, "pending") {
					t.Errorf("%s: release %s has revision %d %s", target.Name, name(n), h.Revision, h.Status)
				}
				if h.Status == "deployed" {
					deployed++
				}
			}
			if deployed != 1 || len(history) > 2+6 {
				t.Errorf("%s: release %s has %d deployed of %d revisions: %+v", target.Name, name(n), deployed, len(history), history)
			}
		}
	}
}

// seeded is a source of what shall be random, but the same once more with the
// seed that is printed.
func seeded(t testing.TB) *rand.Rand {
	t.Helper()
	seed := uint64(time.Now().UnixNano())
	if given := os.Getenv("KSIT_SEED"); given != "" {
		var err error
		if seed, err = strconv.ParseUint(given, 10, 64); err != nil {
			t.Fatalf("KSIT_SEED: %v", err)
		}
	}
	t.Logf("KSIT_SEED=%d", seed)
	return rand.New(rand.NewPCG(seed, seed))
}

type helmRevision struct {
	Revision int
	Status   string
}

func helmHistory(t testing.TB, kubeconfig, name string) []helmRevision {
	t.Helper()
	out, err := helm(t, kubeconfig, "history", name, "-n", name, "-o", "json")
	if err != nil {
		t.Fatalf("helm history: %v\n%s", err, out)
	}
	var history []helmRevision
	if err := json.Unmarshal([]byte(out), &history); err != nil {
		t.Fatalf("helm history: %v\n%s", err, out)
	}
	return history
}

func helm(t testing.TB, kubeconfig string, args ...string) (string, error) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), s.bed.Tools.Helm, append([]string{"--kubeconfig", kubeconfig}, args...)...).CombinedOutput()
	return string(out), err
}
