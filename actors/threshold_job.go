package actors

import (
	"github.com/miroir-search/miroir/merge"
	"github.com/miroir-search/miroir/nodeclient"
	"github.com/miroir-search/miroir/topology"
)

// thresholdJob is a search with a least score, whose hits come in the order of
// their scores. One node that fills its page before it meets a hit below the
// score counts all documents that match, and otherwise only those above. Nodes
// that hold a part may meet such a hit though the whole would not; then all are
// counted in a second round.
type thresholdJob struct{ *searchJob }

// judgesScores reports whether that can be told from how many hits there are.
func (j *searchJob) judgesScores() bool {
	return j.p.threshold && j.p.kind != byBoth && !j.p.sorted && !j.iv.customRules && (j.p.words || j.p.kind == bySemantic)
}

func (j *thresholdJob) scatters() []scatter { return []scatter{j} }

func (j *thresholdJob) request(leg topology.Leg, alone bool) (*nodeclient.Request, error) {
	if alone {
		return j.searchJob.request(leg, true)
	}
	return j.varied(leg, &variant{depth: j.p.spec.Looked()}), nil
}

func (j *thresholdJob) join(in []gathered) (outcome, error) {
	if in[0].alone {
		return j.searchJob.join(in)
	}
	sizes, err := merge.Sizes(in[0].bodies)
	if err != nil {
		return outcome{}, err
	}
	full, sum, everywhere := j.p.spec.Looked(), 0, true
	for _, s := range sizes {
		sum += s.Hits
		everywhere = everywhere && s.Hits >= full
	}
	if most := j.p.spec.MaxTotalHits; j.p.spec.PageMode && (most == 0 || full < most) || everywhere || sum < full {
		return j.searchJob.join(in) // with pages a node looks at all hits, unless it gives no more
	}
	return outcome{next: &thresholdCount{searchJob: j.searchJob, hits: in[0]}}, nil
}

// thresholdCount is the second round: it counts without the least score.
type thresholdCount struct {
	*searchJob
	hits gathered
}

func (j *thresholdCount) scatters() []scatter { return []scatter{j} }

func (j *thresholdCount) request(leg topology.Leg, _ bool) (*nodeclient.Request, error) {
	return j.varied(leg, &variant{less: []string{"rankingScoreThreshold"}}), nil
}

func (j *thresholdCount) join(in []gathered) (outcome, error) {
	total, err := merge.Totals(in[0].bodies)
	if err != nil {
		return outcome{}, err
	}
	spec := j.spec(j.hits)
	spec.Total, spec.Count = &total, &merge.FacetSource{Plus: in[0].bodies}
	return answered(merge.Search(room(j.hits.bodies), spec, j.hits.bodies))
}
