// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package chartserver

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Fault is a way in which the server misbehaves. Without Status, Body,
// Endless and Truncate, the request is served as ever, after Delay.
type Fault struct {
	// Delay is waited first, or until the client gives up.
	Delay time.Duration
	// Status is answered, with Body; 200 if there is only a Body.
	Status int
	Body   []byte
	// Header is added to the answer, such as a Location or Retry-After.
	Header http.Header
	// Endless sends a body, of 200 OK, for as long as the client reads it.
	Endless bool
	// Truncate breaks the connection in the middle of the body.
	Truncate bool
	// Times is how many requests meet the fault; 0 means all.
	Times int
}

type activeFault struct {
	Fault
	prefix string
	left   int
}

// SetFault makes requests for paths with the prefix meet the fault, instead
// of one that was set for that prefix before. Where the prefixes of several
// match, the longest counts.
func (s *Server) SetFault(prefix string, fault Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.removeFault(prefix)
	s.faults = append(s.faults, &activeFault{Fault: fault, prefix: prefix, left: fault.Times})
}

// ClearFault ends the fault of the prefix, ClearFaults all of them.
func (s *Server) ClearFault(prefix string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.removeFault(prefix)
}

// ClearFaults makes the server behave again.
func (s *Server) ClearFaults() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = nil
}

func (s *Server) removeFault(prefix string) {
	kept := make([]*activeFault, 0, len(s.faults))
	for _, f := range s.faults {
		if f.prefix != prefix {
			kept = append(kept, f)
		}
	}
	s.faults = kept
}

// fault returns the fault that a request for the path meets, nil if none.
func (s *Server) fault(requested string) *activeFault {
	s.mu.Lock()
	defer s.mu.Unlock()
	var found *activeFault
	for _, f := range s.faults {
		spent := f.Times > 0 && f.left == 0
		if !spent && strings.HasPrefix(requested, f.prefix) && (found == nil || len(f.prefix) > len(found.prefix)) {
			found = f
		}
	}
	if found != nil && found.Times > 0 {
		found.left--
	}
	return found
}

// serve reports whether it answered the request.
func (f *activeFault) serve(w http.ResponseWriter, r *http.Request) bool {
	if f.Delay > 0 {
		timer := time.NewTimer(f.Delay)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-r.Context().Done():
			return true
		}
	}
	for key, values := range f.Header {
		w.Header()[key] = values
	}
	switch {
	case f.Endless:
		f.serveEndless(w)
	case f.Truncate:
		// Less than announced: the HTTP server closes the connection.
		w.Header().Set("Content-Length", strconv.Itoa(1<<20))
		w.Write(make([]byte, 1<<10))
	case f.Status != 0 || f.Body != nil:
		if f.Status != 0 {
			w.WriteHeader(f.Status)
		}
		w.Write(f.Body)
	default:
		return false
	}
	return true
}

func (f *activeFault) serveEndless(w http.ResponseWriter) {
	chunk := f.Body
	if len(chunk) == 0 {
		chunk = make([]byte, 64<<10)
	}
	for {
		if _, err := w.Write(chunk); err != nil {
			return
		}
	}
}

// maxCounted bounds how many different paths are counted.
const maxCounted = 10_000

func (s *Server) count(requested string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, known := s.requests[requested]; known || len(s.requests) < maxCounted {
		s.requests[requested]++
	}
}

// statusWriter notes the status of an answer.
type statusWriter struct {
	http.ResponseWriter
	status int
}

func (w *statusWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

func (s *Server) countUnchanged(requested string, status int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, known := s.requests[requested]; known && status == http.StatusNotModified {
		s.unchanged[requested]++
	}
}

// Requests returns how often the path was asked for, whatever came of it.
func (s *Server) Requests(requested string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.requests[requested]
}

// Unchanged returns how often the answer for the path was that it has not changed
// since the client last asked.
func (s *Server) Unchanged(requested string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.unchanged[requested]
}

// ResetRequests starts counting anew.
func (s *Server) ResetRequests() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.requests)
	clear(s.unchanged)
}
