package actors

import (
	"slices"

	"github.com/miroir-search/miroir/merge"
	"github.com/miroir-search/miroir/nodeclient"
	"github.com/miroir-search/miroir/rawjson"
	"github.com/miroir-search/miroir/topology"
)

// distinctEstimate is the last round of a distinct search without pages. One
// node takes from the total the duplicates of the hits it has looked at, which
// are among all documents: so all are counted, and those that share a value
// with one of these hits.
type distinctEstimate struct {
	*distinctJob
	hits   gathered // the answers with the page
	judged merge.Judged
}

// estimate begins that round where it is possible and of use; body is what the
// answer would be without it.
func (j *distinctJob) estimate(hits gathered, body []byte) (outcome, error) {
	if !j.canCount() {
		return answered(body, nil)
	}
	spec := j.spec(hits)
	spec.LegDepth = j.depth
	judged, err := merge.JudgeDistinct(spec, hits.bodies)
	switch {
	case err != nil:
		return outcome{}, err
	case judged.Short && (j.p.spec.MaxTotalHits == 0 || j.depth < j.p.spec.MaxTotalHits):
		return outcome{next: &deeper{&distinctJob{j.searchJob, j.bounded(j.depth*2 + 10)}}}, nil
	case judged.Short:
		return answered(body, nil) // more than a node gives are equal
	}
	return outcome{next: &distinctEstimate{distinctJob: j, hits: hits, judged: judged}}, nil
}

// canCount reports whether documents can be counted that are not distinct, and
// by a value of the attribute: it was named in the search and not in the
// settings, and may be filtered by.
func (j *distinctJob) canCount() bool {
	s := j.iv.settings
	if s.DistinctAttribute != nil || j.p.spec.HasFacets && j.p.retrieve != nil {
		return false
	}
	for _, rule := range s.FilterableAttributes {
		if rule.Field == j.p.spec.Distinct || slices.Contains(rule.Patterns, j.p.spec.Distinct) {
			return rule.Equality
		}
	}
	return false
}

func (j *distinctEstimate) scatters() []scatter {
	out := []scatter{&ask{iv: j.iv, shards: j.need(), words: j.original, build: func(leg topology.Leg, _ bool) *nodeclient.Request {
		return j.counting(leg, j.p.filter)
	}}}
	if len(j.judged.Values) == 0 {
		return out
	}
	filter := j.sharing()
	return append(out, &ask{iv: j.iv, shards: j.need(), words: j.original, build: func(leg topology.Leg, _ bool) *nodeclient.Request {
		return j.counting(leg, filter)
	}})
}

// counting is a leg's search that only counts.
func (j *distinctEstimate) counting(leg topology.Leg, filter []byte) *nodeclient.Request {
	s := *j.searchJob
	s.p.filter = filter
	return s.varied(leg, &variant{less: []string{"distinct"}})
}

// sharing is the client's filter, and that a document has a value of a hit.
func (j *distinctEstimate) sharing() []byte {
	clause := rawjson.AppendString(nil, j.p.spec.Distinct)
	clause = append(clause, " IN ["...)
	for i, v := range j.judged.Values {
		if i > 0 {
			clause = append(clause, ',')
		}
		if v[0] == '"' {
			clause = append(clause, v...)
		} else {
			clause = append(append(append(clause, '"'), v...), '"')
		}
	}
	clause = append(clause, ']')
	return appendClause(nil, j.p.filter, string(clause))
}

func (j *distinctEstimate) join(in []gathered) (outcome, error) {
	spec := j.spec(j.hits)
	all, err := merge.Totals(in[0].bodies)
	if err != nil {
		return outcome{}, err
	}
	spec.Count = &merge.FacetSource{Plus: in[0].bodies}
	if len(in) > 1 {
		sharing, err := merge.Totals(in[1].bodies)
		if err != nil {
			return outcome{}, err
		}
		all += int64(len(j.judged.Hits)) - sharing
		spec.Count.Minus, spec.Count.More = in[1].bodies, j.judged.Hits
	}
	spec.Total = &all
	return answered(merge.Search(room(j.hits.bodies), spec, j.hits.bodies))
}
