// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package monitoring

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb/chunkenc"
	"github.com/prometheus/prometheus/tsdb/chunks"
	"github.com/prometheus/prometheus/util/annotations"
)

// memory holds series for Prometheus' engine to query. It is what its own
// database is to a Prometheus, in so far as queries are concerned; the database
// itself would bring the client libraries of every cloud.
type memory struct {
	series map[uint64]*stored
}

type stored struct {
	labels  labels.Labels
	samples []sample
}

// sample implements chunks.Sample.
type sample struct {
	at    int64
	value float64
}

func (s sample) T() int64                      { return s.at }
func (s sample) ST() int64                     { return 0 }
func (s sample) F() float64                    { return s.value }
func (s sample) H() *histogram.Histogram       { return nil }
func (s sample) FH() *histogram.FloatHistogram { return nil }
func (s sample) Type() chunkenc.ValueType      { return chunkenc.ValFloat }
func (s sample) Copy() chunks.Sample           { return s }

func newMemory() *memory { return &memory{series: map[uint64]*stored{}} }

// add appends a sample, which must be younger than those the series has.
func (m *memory) add(of labels.Labels, at time.Time, value float64) {
	key := of.Hash()
	if m.series[key] == nil {
		m.series[key] = &stored{labels: of}
	}
	m.series[key].samples = append(m.series[key].samples, sample{at.UnixMilli(), value})
}

// names are the names of the series that there are.
func (m *memory) names() map[string]bool {
	names := map[string]bool{}
	for _, series := range m.series {
		names[series.labels.Get(labels.MetricName)] = true
	}
	return names
}

// Querier implements storage.Queryable.
func (m *memory) Querier(mint, maxt int64) (storage.Querier, error) {
	return &reader{memory: m, mint: mint, maxt: maxt}, nil
}

type reader struct {
	memory     *memory
	mint, maxt int64
}

// Select implements storage.Querier.
func (r *reader) Select(_ context.Context, _ bool, _ *storage.SelectHints, matchers ...*labels.Matcher) storage.SeriesSet {
	var found []storage.Series
	for _, series := range r.memory.series {
		if slices.ContainsFunc(matchers, func(m *labels.Matcher) bool { return !m.Matches(series.labels.Get(m.Name)) }) {
			continue
		}
		var within []chunks.Sample
		for _, s := range series.samples {
			if s.at >= r.mint && s.at <= r.maxt {
				within = append(within, s)
			}
		}
		if within != nil {
			found = append(found, storage.NewListSeries(series.labels, within))
		}
	}
	slices.SortFunc(found, func(a, b storage.Series) int { return labels.Compare(a.Labels(), b.Labels()) })
	return &set{series: found, at: -1}
}

// LabelValues implements storage.Querier; expressions do not ask for them.
func (r *reader) LabelValues(context.Context, string, *storage.LabelHints, ...*labels.Matcher) ([]string, annotations.Annotations, error) {
	return nil, nil, nil
}

// LabelNames implements storage.Querier; expressions do not ask for them.
func (r *reader) LabelNames(context.Context, *storage.LabelHints, ...*labels.Matcher) ([]string, annotations.Annotations, error) {
	return nil, nil, nil
}

// Close implements storage.Querier.
func (r *reader) Close() error { return nil }

// set implements storage.SeriesSet.
type set struct {
	series []storage.Series
	at     int
}

func (s *set) Next() bool                        { s.at++; return s.at < len(s.series) }
func (s *set) At() storage.Series                { return s.series[s.at] }
func (s *set) Err() error                        { return nil }
func (s *set) Warnings() annotations.Annotations { return nil }

// expressions is Prometheus' parser with the functions that need no feature
// flag.
func expressions() parser.Parser { return parser.NewParser(parser.Options{}) }

func newEngine() *promql.Engine {
	return promql.NewEngine(promql.EngineOpts{
		MaxSamples: 1 << 24, Timeout: time.Minute, EnableAtModifier: true, EnableNegativeOffset: true, Parser: expressions(),
	})
}

// query evaluates an expression at a time.
func query(t *testing.T, engine *promql.Engine, from *memory, expr string, at time.Time) promql.Vector {
	t.Helper()
	q, err := engine.NewInstantQuery(t.Context(), from, nil, expr, at)
	if err != nil {
		t.Fatalf("%s: %v", expr, err)
	}
	defer q.Close()
	result := q.Exec(t.Context())
	if result.Err != nil {
		t.Fatalf("%s: %v", expr, result.Err)
	}
	switch value := result.Value.(type) {
	case promql.Vector:
		return slices.Clone(value)
	case promql.Scalar:
		return promql.Vector{{T: value.T, F: value.V}}
	default:
		t.Fatalf("%s is a %s", expr, value.Type())
		return nil
	}
}
