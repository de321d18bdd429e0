package actors

import (
	"errors"

	"github.com/miroir-search/miroir/merge"
	"github.com/miroir-search/miroir/nodeclient"
	"github.com/miroir-search/miroir/topology"
)

// distinctJob is a search whose hits are made distinct. Every node does that
// among its own hits; what several nodes have drops out when they are merged,
// so more is asked for until the page is full.
type distinctJob struct {
	*searchJob
	depth int
}

func newDistinctJob(j *searchJob) *distinctJob {
	d := &distinctJob{searchJob: j}
	d.depth = d.bounded(j.p.spec.Looked()*2 + 10)
	return d
}

// bounded is a depth that nodes can give.
func (j *distinctJob) bounded(depth int) int {
	if most := j.p.spec.MaxTotalHits; depth < 0 || most > 0 && depth > most {
		return most
	}
	return depth
}

func (j *distinctJob) scatters() []scatter { return []scatter{j} }

func (j *distinctJob) request(leg topology.Leg, alone bool) (*nodeclient.Request, error) {
	if alone {
		return j.searchJob.request(leg, true)
	}
	return j.varied(leg, &variant{depth: j.depth}), nil
}

func (j *distinctJob) join(in []gathered) (outcome, error) {
	if in[0].alone {
		return j.searchJob.join(in)
	}
	spec := j.spec(in[0])
	if j.depth < spec.MaxTotalHits || spec.MaxTotalHits == 0 {
		spec.LegDepth = j.depth
	}
	body, err := merge.Search(room(in[0].bodies), spec, in[0].bodies)
	if errors.Is(err, merge.ErrShort) {
		return outcome{next: &deeper{&distinctJob{j.searchJob, j.bounded(j.depth*2 + 10)}}}, nil
	}
	switch {
	case err != nil:
		return outcome{}, err
	case !spec.PageMode:
		return j.estimate(in[0], body)
	}
	found, err := merge.CountDistinct(spec.Distinct, in[0].bodies)
	switch {
	case err != nil:
		return outcome{}, err
	case !found.Complete, spec.HasFacets && j.p.retrieve != nil:
		return outcome{next: newDistinctCount(j, in[0], found.Total)}, nil
	}
	spec.Total, spec.LegDepth = &found.Total, 0
	spec.Count = &merge.FacetSource{Plus: in[0].bodies, Less: found.Rejected}
	return answered(merge.Search(room(in[0].bodies), spec, in[0].bodies))
}

// deeper is a further round: no leg does it all, even if only one is left.
type deeper struct{ *distinctJob }

func (j *deeper) scatters() []scatter { return []scatter{j} }

func (j *deeper) request(leg topology.Leg, _ bool) (*nodeclient.Request, error) {
	return j.distinctJob.request(leg, false)
}

func (j *deeper) join(in []gathered) (outcome, error) {
	in[0].alone = false
	return j.distinctJob.join(in)
}

// distinctCount is the last round of a search with pages: it counts the values
// of the distinct attribute. A node gives no more than maxTotalHits hits, so
// parts of the shards are asked about one by one.
type distinctCount struct {
	*distinctJob
	hits  gathered // the answers with the page
	parts int
}

func newDistinctCount(j *distinctJob, hits gathered, total int64) *distinctCount {
	d := &distinctCount{distinctJob: j, hits: hits, parts: 1}
	if most := int64(j.p.spec.MaxTotalHits); most > 0 && total > most {
		d.parts = int(min(total*3/(most*2)+1, int64(j.need().Len())))
	}
	return d
}

func (j *distinctCount) scatters() []scatter {
	parts := make([]topology.ShardSet, j.parts)
	n := 0
	for s := range j.need().All() {
		if n < j.parts {
			parts[n] = topology.NewShardSet(j.iv.table.Shards())
		}
		parts[n%j.parts].Add(s)
		n++
	}
	out := make([]scatter, 0, len(parts))
	for _, part := range parts {
		out = append(out, &ask{iv: j.iv, shards: part, words: j.original, build: j.count})
	}
	return out
}

// count asks a leg for all its distinct values.
func (j *distinctCount) count(leg topology.Leg, _ bool) *nodeclient.Request {
	leg.Filtered = leg.Filtered || j.parts > 1
	most := j.p.spec.MaxTotalHits
	if most == 0 {
		most = defaultMaxTotalHits
	}
	counting := *j.searchJob
	counting.p.retrieve, counting.p.distinctToo = []byte("[]"), j.p.spec.Distinct
	if j.p.spec.HasFacets { // what does not count in them must be known
		counting.p.retrieve = j.p.facets
	}
	return counting.varied(leg, &variant{depth: most, less: []string{
		"attributesToHighlight", "attributesToCrop", "showMatchesPosition", "retrieveVectors", "showRankingScore", "showPerformanceDetails",
	}})
}

const defaultMaxTotalHits = 1000

func (j *distinctCount) join(in []gathered) (outcome, error) {
	var bodies [][]byte
	for i := range in {
		bodies = append(bodies, in[i].bodies...)
	}
	found, err := merge.CountDistinct(j.p.spec.Distinct, bodies)
	if err != nil {
		return outcome{}, err
	}
	if most := j.need().Len(); !found.Complete && j.parts < most {
		return outcome{next: &distinctCount{distinctJob: j.distinctJob, hits: j.hits, parts: min(j.parts*4, most)}}, nil
	}
	spec := j.spec(j.hits)
	spec.Total, spec.Count = &found.Total, &merge.FacetSource{Plus: bodies, Less: found.Rejected}
	return answered(merge.Search(room(j.hits.bodies), spec, j.hits.bodies))
}
