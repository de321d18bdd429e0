package actors

import (
	"encoding/json"
	"net/http"

	"github.com/google/uuid"

	"github.com/miroir-search/miroir/merge"
	"github.com/miroir-search/miroir/nodeclient"
	"github.com/miroir-search/miroir/rawjson"
	"github.com/miroir-search/miroir/topology"
)

// searchJob is one search of one index.
type searchJob struct {
	iv       *indexView
	body     []byte // the client's, valid JSON
	metadata bool   // the client asked for it
	p        searchParams

	keyed topology.ShardSet // the shards that its filter by primary key leaves
	byKey bool
}

func newSearchJob(iv *indexView, body []byte, metadata bool) readJob {
	j := &searchJob{iv: iv, body: body, metadata: metadata, p: parseSearch(body, iv)}
	if !j.p.odd && !j.p.spec.HasFacets { // which facets exist is known by all nodes together
		j.keyed, j.byKey = keyShards(j.p.filter, iv.row.PrimaryKey, iv.table.Shards())
	}
	switch {
	case j.p.odd:
		return j
	case j.p.facets != nil:
		if err := facetsRefused(iv.settings, j.p.facets); err != nil {
			return &refusedJob{j, err}
		}
	}
	switch {
	case j.p.kind == byBoth:
		return newHybridJob(j)
	case j.p.spec.Distinct != "":
		return newDistinctJob(j)
	case j.judgesScores():
		return &thresholdJob{j}
	}
	return j
}

func (j *searchJob) scatters() []scatter { return []scatter{j} }
func (j *searchJob) index() *indexView   { return j.iv }

// need is less than all shards where only some can hold a hit.
func (j *searchJob) need() topology.ShardSet {
	if j.byKey {
		return j.keyed
	}
	return j.iv.table.All()
}

func (j *searchJob) path() string { return "/indexes/" + j.iv.row.ID + "/search" }

func (j *searchJob) original(refuser topology.NodeIndex) (topology.NodeIndex, *nodeclient.Request) {
	return refuser, j.asked()
}

// asked is the search as the client wrote it.
func (j *searchJob) asked() *nodeclient.Request {
	return jsonCall(http.MethodPost, j.path(), j.body)
}

func (j *searchJob) join(in []gathered) (outcome, error) {
	bodies := in[0].bodies
	if in[0].alone && len(bodies) == 1 {
		return answered(merge.StripSearch(room(bodies), j.spec(in[0]), bodies[0]))
	}
	return answered(merge.Search(room(bodies), j.spec(in[0]), bodies))
}

// spec is how the answers become the client's.
func (j *searchJob) spec(in gathered) *merge.SearchSpec {
	spec := j.p.spec
	spec.CapTotals = in.version.capsTotals()
	if len(in.bodies) > 0 {
		if _, has := rawjson.Get(in.bodies[0], "requestUid"); has {
			if id, err := uuid.NewV7(); err == nil {
				spec.RequestUID = id.String()
			}
		}
	}
	if j.metadata {
		spec.Metadata = j.describe()
	}
	return &spec
}

// room is space for an answer made of bodies.
func room(bodies [][]byte) []byte {
	size := 256
	for _, b := range bodies {
		size += len(b)
	}
	return make([]byte, 0, size)
}

// searchMetadata is the metadata member of an answer, in Meilisearch's order.
type searchMetadata struct {
	Query      json.RawMessage `json:"query,omitempty"`
	QueryUID   string          `json:"queryUid"`
	IndexUID   string          `json:"indexUid"`
	PrimaryKey string          `json:"primaryKey,omitempty"`
}

func (j *searchJob) describe() []byte {
	m := searchMetadata{IndexUID: j.iv.row.UID, PrimaryKey: j.iv.row.PrimaryKey}
	if q, ok := rawjson.Get(j.body, "q"); ok && string(q) != "null" {
		m.Query = q
	}
	if id, err := uuid.NewV7(); err == nil {
		m.QueryUID = id.String()
	}
	return mustJSON(m)
}
