// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package report

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"k8s.io/apimachinery/pkg/api/resource"
)

// Print writes the report for people.
func (r *Report) Print(to io.Writer) error {
	table := tabwriter.NewWriter(to, 0, 8, 2, ' ', 0)
	fmt.Fprintln(table, "MEMBER\tENDPOINT\tVERSION\tROLE\tSIZE\tIN USE\tQUOTA")
	for _, member := range r.Members {
		fmt.Fprintln(table, strings.Join(member.row(), "\t"))
	}
	fmt.Fprintf(table, "\nRESOURCE\tCOUNT\n")
	for _, resource := range r.Resources {
		fmt.Fprintf(table, "%s\t%d\n", resource.Name, resource.Count)
	}
	if err := table.Flush(); err != nil {
		return fmt.Errorf("writing the report: %w", err)
	}
	fmt.Fprintf(to, "\nPrefix %s, revision %d\n", r.Prefix, r.Revision)
	if len(r.Alarms) > 0 {
		fmt.Fprintf(to, "Alarms, which refuse writes: %s\n", strings.Join(r.Alarms, ", "))
	}
	if r.Unfinished {
		fmt.Fprintln(to, "A migration into this etcd did not come to its end: run it again, and start no KSIT on it before.")
	}
	return nil
}

func (m Member) row() []string {
	if m.Error != "" {
		return []string{m.Name, m.Endpoint, "", "no answer: " + m.Error, "", "", ""}
	}
	role := "follower"
	switch {
	case m.Leader:
		role = "leader"
	case m.Learner:
		role = "learner"
	}
	return []string{m.Name, m.Endpoint, m.Version, role, size(m.SizeBytes), size(m.InUseBytes), size(m.QuotaBytes)}
}

// size is a number of bytes, rounded, in the units of quantities.
func size(bytes int64) string {
	if bytes == 0 {
		return "-"
	}
	if bytes >= 1<<20 {
		bytes = bytes >> 20 << 20
	}
	return resource.NewQuantity(bytes, resource.BinarySI).String()
}
