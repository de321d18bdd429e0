package actors

import (
	"net/http"
	"slices"

	"github.com/miroir-search/miroir/api"
	"github.com/miroir-search/miroir/merge"
	"github.com/miroir-search/miroir/nodeclient"
	"github.com/miroir-search/miroir/topology"
)

// allFields is more than an index can have.
const allFields = `{"limit":65536}`

// fieldsJob lists the fields of an index. Nodes list all of theirs; what the
// client wants of them is chosen here, after ours are gone.
type fieldsJob struct {
	iv   *indexView
	spec merge.FieldsSpec
}

func newFieldsJob(iv *indexView, q *api.FieldsQuery) *fieldsJob {
	j := &fieldsJob{iv: iv, spec: merge.FieldsSpec{Offset: q.Offset, Limit: q.Limit}}
	if !slices.Contains(iv.settings.DisplayedAttributes, "*") {
		j.spec.Displayed = append([]string{}, iv.settings.DisplayedAttributes...)
	}
	if q.Filter == nil {
		return j
	}
	j.spec.Patterns = q.Filter.Patterns
	for _, f := range []struct {
		name string
		want *bool
	}{{"displayed", q.Filter.Displayed}, {"searchable", q.Filter.Searchable}, {"sortable", q.Filter.Sortable}, {"distinct", q.Filter.Distinct},
		{"rankingRule", q.Filter.RankingRule}, {"filterable", q.Filter.Filterable}} {
		if f.want != nil {
			j.spec.Enabled = append(j.spec.Enabled, merge.FieldFlag{Name: f.name, Want: *f.want})
		}
	}
	return j
}

func (j *fieldsJob) scatters() []scatter     { return []scatter{j} }
func (j *fieldsJob) index() *indexView       { return j.iv }
func (j *fieldsJob) need() topology.ShardSet { return j.iv.table.All() }

func (j *fieldsJob) request(topology.Leg, bool) (*nodeclient.Request, error) {
	return jsonCall(http.MethodPost, "/indexes/"+j.iv.row.ID+"/fields", []byte(allFields)), nil
}

func (j *fieldsJob) original(refuser topology.NodeIndex) (topology.NodeIndex, *nodeclient.Request) {
	return refuser, nil
}

func (j *fieldsJob) join(in []gathered) (outcome, error) {
	return answered(merge.Fields(nil, &j.spec, in[0].bodies))
}
