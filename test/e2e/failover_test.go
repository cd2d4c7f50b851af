// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/pkg/generated/clientset/versioned"
	"ksit.io/ksit/test/bed"
)

// TestFailover has two controller managers take turns beside one API server. In
// each round all releases are changed, and at a random moment of that the leader
// is killed, or loses its Lease: it is stopped for longer than that lasts, and
// wakes up in the middle of what another has taken over. The other finishes the
// work, nothing is installed twice, and the one that woke up ends. KSIT_SEED
// replays the moments of a run, KSIT_FAILOVERS sets the number of rounds.
func TestFailover(t *testing.T) {
	random := seeded(t)
	rounds := 4
	if given := os.Getenv("KSIT_FAILOVERS"); given != "" {
		var err error
		if rounds, err = strconv.Atoi(given); err != nil {
			t.Fatalf("KSIT_FAILOVERS: %v", err)
		}
	}
	replicas := startReplicas(t)
	const apps = 4
	ns := namespace(t, "one")
	target := s.bed.Targets[0]
	uids := map[string]types.UID{}
	name := func(n int) string { return fmt.Sprintf("handed-%d", n) }
	for round := range rounds {
		var manifests []string
		for n := range apps {
			// Long enough that there is a middle.
			values := fmt.Sprintf("      values: {minReadySeconds: \"2\", message: round-%d}\n", round)
			manifests = append(manifests, generic(ns, name(n), "podinfo-lite", "1.0.0", []string{"one"}, values))
		}
		kubectl(t, strings.Join(manifests, "\n---\n"), "apply", "-f", "-")
		pause := time.Duration(random.IntN(4000)) * time.Millisecond
		kill := random.IntN(2) == 0
		time.Sleep(pause)
		t.Logf("round %d: after %s, kill %v", round, pause, kill)
		if kill {
			replicas.killLeader(t)
		} else {
			replicas.freezeLeader(t)
		}
		for n := range apps {
			waitPhase(t, ns, name(n), v1alpha1.PhaseRunning)
			revisions := history(t, target, name(n))
			if err := sound(revisions); err != nil {
				t.Fatalf("round %d: %s: %v: %+v", round, name(n), err, revisions)
			}
			newest := revisions[len(revisions)-1]
			if newest.values["message"] != fmt.Sprintf("round-%d", round) {
				t.Errorf("round %d: %s has the values %v", round, name(n), newest.values)
			}
			// One for each change, and one more where that was cut short.
			if most := 2 * (round + 1); newest.number > most {
				t.Errorf("round %d: %s is at revision %d, more than %d", round, name(n), newest.number, most)
			}
			uid := deploymentUID(t, target, name(n))
			if before, known := uids[name(n)]; known && before != uid {
				t.Errorf("round %d: %s was uninstalled and installed again", round, name(n))
			}
			uids[name(n)] = uid
		}
	}
}

// replicas are the controller managers.
type replicas []*bed.Process

// startReplicas brings up a bed of its own for the test, with one API server and
// two controller managers, and makes it the one that the helpers of tests use.
func startReplicas(t *testing.T) replicas {
	t.Helper()
	b, err := bed.Up(t.Context(), bed.Options{Targets: 1, Nodes: 1, Log: os.Stderr})
	must(t, err)
	t.Cleanup(func() { must(t, b.Close()) })
	etcd, err := b.StartEtcd(t.Context(), "ksit-etcd")
	must(t, err)
	options := bed.KSITOptions{Binary: os.Getenv("KSIT"), Artifacts: artifacts}
	apiserver := options
	apiserver.Command, apiserver.Args = "apiserver", []string{"--etcd-servers=" + etcd, "--rewrites-file=" + b.RewritesFile}
	run, err := b.StartKSIT(t.Context(), apiserver)
	must(t, err)
	options.Args = []string{"--leader-elect-lease-duration=5s", "--leader-elect-renew-deadline=3s", "--leader-elect-retry-period=500ms"}
	var all replicas
	for n := range 2 {
		replica, err := b.ControllerManager(t.Context(), fmt.Sprintf("controller-manager-%d", n), options)
		must(t, err)
		must(t, replica.Start())
		all = append(all, replica)
	}
	client, err := versioned.NewForConfig(b.Host.RESTConfig())
	must(t, err)
	shared := s
	s = suite{ctx: shared.ctx, bed: b, run: run, ksit: client}
	t.Cleanup(func() {
		if t.Failed() {
			for _, replica := range all {
				keepLog(replica.LogFile())
			}
		}
		s = shared
	})
	return all
}

// leader waits until one of the replicas, other than the one given, holds the
// Lease.
func (r replicas) leader(t testing.TB, other *bed.Process) *bed.Process {
	t.Helper()
	var holder string
	var leader *bed.Process
	if !poll(t.Context(), eventually, func(ctx context.Context) bool {
		lease, err := clientOf(t, s.bed.Host).CoordinationV1().Leases(system).Get(ctx, "ksit-controller-manager", metav1.GetOptions{})
		if err != nil || lease.Spec.HolderIdentity == nil || *lease.Spec.HolderIdentity == "" {
			return false
		}
		holder = *lease.Spec.HolderIdentity
		for _, replica := range r {
			if replica != other && leads(replica, holder) {
				leader = replica
				return true
			}
		}
		return false
	}) {
		t.Fatalf("no replica leads; the Lease is held by %q", holder)
	}
	return leader
}

// leads tells by the log of a replica whether it leads under an identity.
func leads(replica *bed.Process, identity string) bool {
	log, err := os.ReadFile(replica.LogFile())
	return err == nil && strings.Contains(string(log), fmt.Sprintf("\"This process leads\" identity=%q", identity))
}

// killLeader kills the leader, and starts it again when the other leads.
func (r replicas) killLeader(t testing.TB) {
	t.Helper()
	leader := r.leader(t, nil)
	leader.Kill()
	r.leader(t, leader)
	must(t, leader.Start())
}

// freezeLeader stops the leader until the other leads. When it goes on, it must
// see that it leads no more, and end; it is then started again, as by a
// Deployment.
func (r replicas) freezeLeader(t testing.TB) {
	t.Helper()
	leader := r.leader(t, nil)
	pid := leader.Pid()
	must(t, leader.Signal(syscall.SIGSTOP))
	r.leader(t, leader)
	must(t, leader.Signal(syscall.SIGCONT))
	if !poll(t.Context(), eventually, func(context.Context) bool { return leader.Pid() != pid }) {
		t.Fatal("the leader that lost its Lease goes on")
	}
}
