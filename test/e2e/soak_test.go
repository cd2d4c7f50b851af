// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"ksit.io/ksit/test/bed"
)

// soakSettles is how long everything may take to be as its spec says after the
// last event, without any help: a little more than the longest interval between
// two attempts.
const soakSettles = 12 * time.Minute

// panicked is how Go, the API server and the workers of KSIT say that something
// panicked. The word alone is not enough: a request that its client gave up is
// logged with "panicked: false".
var panicked = regexp.MustCompile(`^panic: |^fatal error: |Observed a panic|Reconcile panicked|panic serving|\[running\]:`)

// TestSoak has twenty Integrations on two targets live through random kills of
// KSIT and of the targets' API servers, networks that swallow or refuse
// everything, changes of specs and targets, deletions, and hands that meddle on
// the targets. When that ends, everything becomes what its spec says, by itself.
//
// KSIT_SOAK is how long the events go on, 3m by default. KSIT_SEED replays them,
// and KSIT_SOAK_WITHOUT leaves some out, by words of their names with commas
// between, to find which of them a failure needs.
func TestSoak(t *testing.T) {
	length := 3 * time.Minute
	if given := os.Getenv("KSIT_SOAK"); given != "" {
		var err error
		if length, err = time.ParseDuration(given); err != nil {
			t.Fatalf("KSIT_SOAK: %v", err)
		}
	}
	plan := soakPlan(seeded(t), length)
	w := newSoak(t)
	w.settle(t)
	goroutines, memory := w.uses(t)

	w.begin = time.Now()
	counts := map[string]int{}
	for _, event := range plan {
		if soakWithout(event) {
			continue
		}
		// Later than planned on a slow machine, and in the same order.
		time.Sleep(time.Until(w.begin.Add(event.at)))
		w.do(t, event)
		w.createLate(t)
		counts[event.what]++
	}
	t.Logf("%d events in %s: %v", len(plan), time.Since(w.begin).Round(time.Second), counts)
	w.settle(t)
	w.checkPlain(t)

	g, m := w.uses(t)
	t.Logf("%.0f goroutines and %.0f MB before, %.0f and %.0f MB after", goroutines, memory/1e6, g, m/1e6)
	if g > 2*goroutines+200 || m > 2*memory+100e6 {
		t.Errorf("KSIT has grown: %.0f goroutines and %.0f MB before, %.0f and %.0f MB after", goroutines, memory/1e6, g, m/1e6)
	}
	log, err := os.ReadFile(s.run.Process.LogFile())
	must(t, err)
	for line := range strings.Lines(string(log)) {
		if panicked.MatchString(line) {
			t.Errorf("there is a panic in the log of KSIT: %s", line)
		}
	}
}

func soakWithout(event soakEvent) bool {
	return slices.ContainsFunc(strings.Split(os.Getenv("KSIT_SOAK_WITHOUT"), ","), func(word string) bool {
		return word != "" && strings.Contains(event.what, word)
	})
}

// soak is a soak that goes on.
type soak struct {
	ns      string
	apps    []*soakApp
	targets []*bed.Cluster
	relays  []*bed.Relay
	// late are the apps that are to be created again as soon as those of their
	// names are gone.
	late map[*soakApp]bool
	// narrow are the groups that do not have the second target.
	narrow   map[string]bool
	begin    time.Time
	timeline []string
}

func newSoak(t *testing.T) *soak {
	t.Helper()
	w := &soak{
		ns: namespace(t), targets: s.bed.Targets[:soakTargets],
		late: map[*soakApp]bool{}, narrow: map[string]bool{}, begin: time.Now(),
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("what happened:\n%s", strings.Join(w.timeline, "\n"))
		}
	})
	for n, name := range []string{"one", "two"} {
		w.relays = append(w.relays, registerRelayed(t, w.ns, name, w.targets[n]))
	}
	t.Cleanup(func() { w.heal(t) })
	kubectl(t, "", "label", "integrationtarget", "one", "two", "-n", w.ns, "group-0=in", "group-1=in")
	var manifests []string
	for n := range soakApps {
		app := newSoakApp(n)
		w.apps = append(w.apps, app)
		manifests = append(manifests, app.manifest(w.ns))
	}
	kubectl(t, strings.Join(manifests, "\n---\n"), "apply", "-f", "-")
	return w
}

func (w *soak) note(format string, args ...any) {
	w.timeline = append(w.timeline, fmt.Sprintf("%8.1fs ", time.Since(w.begin).Seconds())+fmt.Sprintf(format, args...))
}

// do has an event happen.
func (w *soak) do(t *testing.T, event soakEvent) {
	t.Helper()
	app, target, relay := w.apps[event.app], w.targets[event.target], w.relays[event.target]
	w.note("%s: target %d, %s", event.what, event.target+1, app.name)
	switch event.what {
	case soakKill:
		s.restart(t)
	case soakServerDown:
		must(t, target.Kill(bed.APIServer))
	case soakServerUp:
		must(t, target.Start(t.Context(), bed.APIServer))
	case soakFreeze:
		must(t, relay.Freeze())
	case soakRefuse:
		must(t, relay.Refuse())
	case soakPass:
		must(t, relay.Pass())
	case soakCut:
		relay.Cut()
	case soakDrift:
		w.meddle(t, app, target, event.number)
	case soakDelete:
		app.deleted = true
		kubectl(t, "", "delete", "integration", app.name, "-n", w.ns, "--wait=false")
	case soakCreate:
		app.deleted = false
		w.late[app] = true
	case soakRetarget:
		w.retarget(t, app)
	case soakChange, soakDisable, soakEnable:
		if event.what == soakChange {
			app.round = event.number
		}
		app.disabled = event.what == soakDisable
		w.apply(t, app)
	default:
		t.Fatalf("nobody knows how to %s", event.what)
	}
}

// apply applies the manifest of an app, unless it still waits to be created.
func (w *soak) apply(t *testing.T, app *soakApp) {
	t.Helper()
	if !w.late[app] {
		kubectl(t, app.manifest(w.ns), "apply", "-f", "-")
	}
}

// createLate creates the apps again whose former selves are gone.
func (w *soak) createLate(t *testing.T) {
	t.Helper()
	for app := range w.late {
		_, err := s.ksit.KsitV1alpha1().Integrations(w.ns).Get(t.Context(), app.name, metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			kubectl(t, app.manifest(w.ns), "create", "--save-config", "-f", "-")
			delete(w.late, app)
			w.note("created again: %s", app.name)
		}
	}
}

func (w *soak) retarget(t *testing.T, app *soakApp) {
	t.Helper()
	if app.group == "" {
		app.oneOnly = !app.oneOnly
		w.apply(t, app)
		return
	}
	w.narrow[app.group] = !w.narrow[app.group]
	change := app.group + "=in"
	if w.narrow[app.group] {
		change = app.group + "-"
	}
	kubectl(t, "", "label", "integrationtarget", "two", "-n", w.ns, change)
}

// meddle changes or deletes an object of an app on a target, if it is there and
// the target can be reached.
func (w *soak) meddle(t *testing.T, app *soakApp, target *bed.Cluster, number int) {
	t.Helper()
	if app.configMap() == "" {
		return
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	maps := clientOf(t, target).CoreV1().ConfigMaps(app.name)
	var err error
	if number%2 == 0 {
		err = maps.Delete(ctx, app.configMap(), metav1.DeleteOptions{})
	} else {
		_, err = maps.Patch(ctx, app.configMap(), types.MergePatchType, fmt.Appendf(nil, `{"data":{%q:"tampered"}}`, app.field()), metav1.PatchOptions{})
	}
	if err != nil {
		w.note("not done: %v", err)
	}
}

// heal ends all that is broken, also after a soak that was cut short.
func (w *soak) heal(t *testing.T) {
	t.Helper()
	for n, relay := range w.relays {
		if err := relay.Pass(); err != nil {
			t.Error(err)
		}
		if w.targets[n].Running(bed.APIServer) {
			continue
		}
		if err := w.targets[n].Start(s.ctx, bed.APIServer); err != nil {
			t.Error(err)
		}
	}
}
