package actors

import (
	"strconv"

	"github.com/miroir-search/miroir/merge"
	"github.com/miroir-search/miroir/nodeclient"
	"github.com/miroir-search/miroir/rawjson"
	"github.com/miroir-search/miroir/topology"
)

// hybridJob is a search by words and by similarity. Whether the words suffice
// is decided over all hits by words, so they are asked for first; a node would
// decide for itself. Legs that are asked alone do it all.
type hybridJob struct {
	*searchJob
	depth int // how many hits the client wants
	ask   int // how many a leg is asked for: duplicates drop out
}

func newHybridJob(j *searchJob) *hybridJob {
	s := &j.p.spec
	h := &hybridJob{searchJob: j, depth: s.Looked()}
	if h.ask = h.depth; s.Distinct != "" {
		h.ask = (&distinctJob{searchJob: j}).bounded(h.depth*2 + 10)
	}
	return h
}

func (j *hybridJob) scatters() []scatter { return []scatter{j} }

func (j *hybridJob) request(leg topology.Leg, alone bool) (*nodeclient.Request, error) {
	if alone {
		return j.searchJob.request(leg, true)
	}
	return j.varied(leg, &variant{
		depth: j.ask, less: []string{"hybrid", "vector", "showRankingScore"}, more: `"showRankingScore":true,`,
	}), nil
}

func (j *hybridJob) join(in []gathered) (outcome, error) {
	if in[0].alone || j.p.wordless {
		return j.searchJob.join(in)
	}
	enough, err := merge.WordsSuffice(j.spec(in[0]), j.p.ratio, j.depth, in[0].bodies)
	if err != nil || enough {
		out, failed := j.searchJob.join(in)
		if err == nil {
			err = failed
		}
		return out, err
	}
	return outcome{next: &hybridVectors{hybridJob: j, words: in[0].bodies}}, nil
}

// hybridVectors is the second round: the hits by similarity.
type hybridVectors struct {
	*hybridJob
	words [][]byte // the answers of the first round
}

func (j *hybridVectors) scatters() []scatter { return []scatter{j} }

// nearly is the semantic ratio that hits by similarity are asked with. At 1 a
// node would not mark the words of the query in them, nor count what only the
// words find; so it is asked to join both lists, but so that no hit by words
// comes before one by similarity, and the words never suffice.
const nearly = 0.9999999

func (j *hybridVectors) request(leg topology.Leg, _ bool) (*nodeclient.Request, error) {
	embedder, _ := rawjson.Get(j.p.hybrid, "embedder") // there, or the search would be odd
	return j.varied(leg, &variant{
		depth: j.ask, less: []string{"hybrid", "showRankingScore"},
		more: `"showRankingScore":true,"hybrid":{"semanticRatio":` + strconv.FormatFloat(nearly, 'f', -1, 64) + `,"embedder":` + string(embedder) + `},`,
	}), nil
}

func (j *hybridVectors) join(in []gathered) (outcome, error) {
	return answered(merge.Hybrid(room(in[0].bodies), j.spec(in[0]), j.p.ratio, j.words, in[0].bodies))
}
