// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package installationlog

import (
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"ksit.io/ksit/pkg/apis/ksit"
	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
)

const (
	// lineOverhead is what a line takes in storage besides its text.
	lineOverhead = 32
	cutMark      = " …"
)

// appendLines adds lines to a log, cleaned, and counts them.
func appendLines(log *ksit.InstallationLog, lines []ksit.LogLine, now time.Time) {
	for _, line := range lines {
		if line.Message = clean(line.Message); line.Message == "" {
			continue
		}
		if line.Time.IsZero() {
			line.Time = metav1.NewMicroTime(now)
		}
		log.Lines = append(log.Lines, line)
		log.Written++
	}
	trim(log)
}

// clean makes one line of a text, without what would steer the terminal of who
// reads it, and cuts it.
func clean(text string) string {
	text = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case unicode.IsControl(r), unicode.Is(unicode.Cf, r), r == utf8.RuneError:
			return -1
		default:
			return r
		}
	}, text)
	text = strings.TrimSpace(text)
	if len(text) <= v1alpha1.MaxLogLine {
		return text
	}
	cut := v1alpha1.MaxLogLine - len(cutMark)
	for cut > 0 && !utf8.RuneStart(text[cut]) {
		cut--
	}
	return text[:cut] + cutMark
}

// trim drops the oldest lines until the log is within its bounds.
func trim(log *ksit.InstallationLog) {
	first := max(0, len(log.Lines)-v1alpha1.MaxLogLines)
	size := 0
	for n := len(log.Lines) - 1; n >= first; n-- {
		if size += len(log.Lines[n].Message) + lineOverhead; size > v1alpha1.MaxLogBytes {
			first = n + 1
			break
		}
	}
	if first > 0 {
		log.Lines = append([]ksit.LogLine(nil), log.Lines[first:]...)
	}
}

// newer are the lines of a log that come after so many that were written, and
// how many more there were that are no longer kept.
func newer(log *ksit.InstallationLog, seen int64) (lines []ksit.LogLine, lost int64) {
	first := log.Written - int64(len(log.Lines))
	if seen < first {
		return log.Lines, first - seen
	}
	return log.Lines[min(seen-first, int64(len(log.Lines))):], 0
}

// selected are the lines that a reader asked for.
func selected(lines []ksit.LogLine, options *ksit.InstallationLogOptions, now time.Time) []ksit.LogLine {
	if options.SinceSeconds != nil {
		since := now.Add(-time.Duration(*options.SinceSeconds) * time.Second)
		for len(lines) > 0 && lines[0].Time.Time.Before(since) {
			lines = lines[1:]
		}
	}
	if options.TailLines != nil && int64(len(lines)) > *options.TailLines {
		lines = lines[int64(len(lines))-*options.TailLines:]
	}
	return lines
}

// write appends lines as text, each with its time where timestamps is true.
func write(text []byte, lines []ksit.LogLine, timestamps bool) []byte {
	for _, line := range lines {
		if timestamps {
			text = line.Time.UTC().AppendFormat(text, "2006-01-02T15:04:05.000000Z07:00")
			text = append(text, ' ')
		}
		text = append(text, line.Message...)
		text = append(text, '\n')
	}
	return text
}
