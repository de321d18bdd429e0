package engine

import "github.com/RoaringBitmap/roaring/v2"

// ScoreValue is one entry of what servers compare when they merge the hits of several searches: a run of rank rules as
// one score, one sort value, one distance, or one similarity.
type ScoreValue struct {
	Kind RuleKind // RuleWords for a run of ranks, RuleSort, RuleGeo or RuleVector
	// Score is that of ranks and vectors, times the weight.
	Score float64
	// Asc and Value are set for RuleSort, Asc and Distance for RuleGeo; Distance is nil without a point.
	Asc      bool
	Value    any
	Distance *float64
}

// ScoreValues are the entries of a hit.
func ScoreValues(scores []RuleScore, weight float64) []ScoreValue {
	all := runs(scores, weight)
	out := make([]ScoreValue, len(all))
	for i := range all {
		r := &all[i]
		out[i] = ScoreValue{Kind: r.kind, Score: r.score}
		if r.rule == nil {
			continue
		}
		out[i].Asc, out[i].Value = r.rule.Asc, r.rule.Value
		if r.kind == RuleGeo && r.rule.Geo != nil {
			d := r.rule.Distance
			out[i].Distance = &d
		}
	}
	return out
}

// Facets counts the values of facets over candidates, which are those of a Result of the same index, or several joined.
// Documents that have gone since then are not counted.
func (x *Index) Facets(patterns []string, candidates *roaring.Bitmap) (FacetDistribution, map[string]FacetStats, error) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	fields, err := x.core.facetFields(patterns)
	if err != nil {
		return nil, nil, err
	}
	dist, stats := x.core.distribution(fields, roaring.And(candidates, x.core.live))
	return dist, stats, nil
}

// OrderedBy tells whether vectors alone order the hits of a query; ok is false when its sort parameter or its vectors are
// an error.
func (x *Index) OrderedBy(q *Query) (vectors, ok bool) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	s := &search{c: x.core, q: q}
	if s.chooseKind() != nil {
		return false, false
	}
	_, err := parseSort(q.Sort, "invalid_search_sort")
	return s.kind == byVector, err == nil
}

// Number is the place of a document in Candidates.
func (x *Index) Number(id string) (uint32, bool) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	n, ok := x.core.byID[id]
	return n, ok
}

// NormalizeFacet is the form in which texts are compared as facet and sort values.
func NormalizeFacet(text string) string { return normalizeFacet(text) }

// Distance is the way between two points in metres.
func Distance(a, b Point) float64 { return distance(a, b) }
