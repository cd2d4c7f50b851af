// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package traffic

import (
	"fmt"
	"strings"
	"sync"
	"time"
)

// Failure is a request that was not answered as it should.
type Failure struct {
	At    time.Time
	Took  time.Duration
	Route string
	Verb  string
	Err   error
}

func (f Failure) String() string {
	return fmt.Sprintf("%s after %s: %s by way of the %s: %v", f.At.Format("15:04:05.000"), f.Took.Round(time.Millisecond), f.Verb, f.Route, f.Err)
}

// Report is what became of requests over a time.
type Report struct {
	Over     time.Duration
	Requests int
	Failures []Failure
	// Slowest is the one that took longest, failed or not.
	Slowest Failure
	// From and To are when the first and the last one of the failed ones ended.
	From, To time.Time
}

// Until is how long after a moment the last request failed.
func (r Report) Until(moment time.Time) time.Duration {
	if len(r.Failures) == 0 {
		return 0
	}
	return r.To.Sub(moment)
}

// Outage is the time between the first and the last request that failed.
func (r Report) Outage() time.Duration { return r.To.Sub(r.From) }

func (r Report) String() string {
	var out strings.Builder
	fmt.Fprintf(&out, "%d requests in %s, %d failed; the slowest, %s by way of the %s, took %s", r.Requests,
		r.Over.Round(100*time.Millisecond), len(r.Failures), r.Slowest.Verb, r.Slowest.Route, r.Slowest.Took.Round(time.Millisecond))
	const most = 12
	for i, failure := range r.Failures {
		if i == most {
			fmt.Fprintf(&out, "\n  and %d more", len(r.Failures)-most)
			break
		}
		fmt.Fprintf(&out, "\n  %s", failure)
	}
	return out.String()
}

// records are all requests that ended.
type records struct {
	mu  sync.Mutex
	all []Failure // Those without an error did not fail.
}

func (r *records) add(began time.Time, route, verb string, err error) {
	now := time.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.all = append(r.all, Failure{At: now, Took: now.Sub(began), Route: route, Verb: verb, Err: err})
}

func (r *records) report(since time.Time) Report {
	r.mu.Lock()
	defer r.mu.Unlock()
	report := Report{Over: time.Since(since)}
	for _, record := range r.all {
		if record.At.Before(since) {
			continue
		}
		report.Requests++
		if record.Took > report.Slowest.Took {
			report.Slowest = record
		}
		if record.Err == nil {
			continue
		}
		report.Failures = append(report.Failures, record)
		if report.From.IsZero() {
			report.From = record.At
		}
		report.To = record.At
	}
	return report
}
