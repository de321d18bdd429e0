package actors

import (
	"net/http"

	"github.com/miroir-search/miroir/merge"
	"github.com/miroir-search/miroir/nodeclient"
	"github.com/miroir-search/miroir/rawjson"
	"github.com/miroir-search/miroir/topology"
)

// facetSearchJob searches among the values of a facet.
type facetSearchJob struct {
	iv     *indexView
	body   []byte // the client's, valid JSON
	filter []byte // raw, nil when absent
	name   string
	asked  bool // there is a text to look for
	odd    bool // something is not of its type: a node will say so
}

func newFacetSearchJob(iv *indexView, body []byte) *facetSearchJob {
	j := &facetSearchJob{iv: iv, body: body}
	err := rawjson.EachMember(body, func(key, value []byte) bool {
		if string(value) == "null" {
			return true
		}
		switch {
		case rawjson.KeyEquals(key, "filter"):
			j.filter = value
		case rawjson.KeyEquals(key, "facetQuery"):
			j.asked = true
		case rawjson.KeyEquals(key, "facetName"):
			text, err := rawjson.AppendUnquoted(nil, value)
			j.name, j.odd = string(text), err != nil
		}
		return true
	})
	j.odd = j.odd || err != nil
	return j
}

func (j *facetSearchJob) scatters() []scatter     { return []scatter{j} }
func (j *facetSearchJob) index() *indexView       { return j.iv }
func (j *facetSearchJob) need() topology.ShardSet { return j.iv.table.All() }

func (j *facetSearchJob) path() string { return "/indexes/" + j.iv.row.ID + "/facet-search" }

func (j *facetSearchJob) original(refuser topology.NodeIndex) (topology.NodeIndex, *nodeclient.Request) {
	return refuser, jsonCall(http.MethodPost, j.path(), j.body)
}

func (j *facetSearchJob) request(leg topology.Leg, _ bool) (*nodeclient.Request, error) {
	if !leg.Filtered || j.odd {
		return jsonCall(http.MethodPost, j.path(), j.body), nil
	}
	body := rawjson.Remove(nil, j.body, func(key []byte) bool { return rawjson.KeyEquals(key, "filter") })
	filter := appendShardFilter([]byte(`"filter":`), j.filter, leg)
	return jsonCall(http.MethodPost, j.path(), rawjson.AppendMembers(nil, body, filter)), nil
}

func (j *facetSearchJob) join(in []gathered) (outcome, error) {
	faceting := j.iv.settings.Faceting
	if in[0].alone && !raisesFacetValues(j.iv.settings) {
		return answered(in[0].bodies[0], nil)
	}
	return answered(merge.FacetSearch(nil, &merge.FacetSearchSpec{
		Order: j.iv.facetOrder(j.name), MaxValues: faceting.MaxValuesPerFacet, Asked: j.asked,
	}, in[0].bodies))
}
