package actors

import (
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"github.com/miroir-search/miroir/api"
	"github.com/miroir-search/miroir/merge"
	"github.com/miroir-search/miroir/rawjson"
	"github.com/miroir-search/miroir/topology"
)

// federatedJob is a multi-search whose queries make one list. Each index is
// asked for its own queries, in a federated search of its own.
type federatedJob struct {
	queries  []federatedQuery
	spec     merge.FederatedSpec
	parts    []*federatedPart // by ascending uid
	judge    *replayJob       // asks for what only all queries together can be refused for; nil when nothing is
	whole    []byte           // the client's body with the names that nodes know
	metadata bool

	performance bool // the client asked for `performanceDetails`
}

// federatedQuery is one query of it.
type federatedQuery struct {
	iv     *indexView
	text   []byte // the client's
	p      searchParams
	q      *api.MultiQuery
	weight float64
}

// federatedPart is one index of it.
type federatedPart struct {
	job     *federatedJob
	iv      *indexView
	queries []int
	facets  []byte // raw list, nil when none is asked for
	keyed   topology.ShardSet
	byKey   bool
}

// newFederatedJob reads a federated search, which http has found well formed.
// One without queries has its answer at once.
func (c *Cluster) newFederatedJob(body []byte, metadata bool) (job readJob, answer []byte, failed *api.Error) {
	v, err := api.ParseJSON(body)
	if err != nil {
		return nil, nil, api.MalformedJSON(err.Error())
	}
	ms, bad := api.DecodeMultiSearch(v)
	if bad != nil {
		return nil, nil, bad
	}
	if ms.Federation == nil {
		return nil, nil, api.Internal("BUG: no federation in a federated search")
	}
	if ms.Federation.Personalize != nil {
		return nil, nil, api.NewError(api.CodeNotSupported, "Miroir does not personalize federated searches: leave out `federation.personalize`.")
	}
	j := &federatedJob{metadata: metadata, performance: ms.Federation.ShowPerformanceDetails}
	j.page(ms.Federation)
	list, _ := rawjson.Get(body, "queries")
	var unknown []int
	_ = rawjson.EachElement(list, func(text []byte) bool { // it is valid JSON
		q := federatedQuery{text: text, q: &ms.Queries[len(j.queries)], weight: 1}
		if q.q.Options != nil {
			q.weight = q.q.Options.Weight
		}
		var ok bool
		if q.iv, ok = c.registry.lookup(q.q.IndexUID); !ok {
			unknown = append(unknown, len(j.queries))
		} else {
			q.parse(ms.Federation.Distinct)
			if bad == nil {
				bad = reservedInBody(text)
			}
		}
		j.queries = append(j.queries, q)
		return true
	})
	federation, _ := rawjson.Get(body, "federation")
	if bad == nil && mayNameReserved(federation) {
		bad = reservedField("federation")
	}
	switch {
	case bad != nil:
		return nil, nil, bad
	case len(j.queries) == 0:
		out, err := j.join(nil)
		if err != nil {
			return nil, nil, api.Internal(err.Error())
		}
		return nil, out.body, nil
	}
	j.whole = j.rename(c, federation)
	if len(unknown) > 0 {
		job, bad := j.askJudge(c, unknown)
		return job, nil, bad
	}
	if bad := j.split(c, ms.Federation, federation); bad != nil {
		return nil, nil, bad
	}
	return j, nil, nil
}

// page reads which hits are shown.
func (j *federatedJob) page(f *api.Federation) {
	j.spec = merge.FederatedSpec{Offset: f.Offset, Limit: f.Limit, Page: 1, HitsPerPage: api.DefaultSearchLimit, MergedValues: -1}
	if f.Page != nil {
		j.spec.PageMode, j.spec.Page = true, *f.Page
	}
	if f.HitsPerPage != nil {
		j.spec.PageMode, j.spec.HitsPerPage = true, *f.HitsPerPage
	}
	if f.Distinct != nil {
		j.spec.Distinct = *f.Distinct
	}
	if f.MergeFacets != nil {
		j.spec.MergeFacets = true
		if f.MergeFacets.MaxValuesPerFacet != nil {
			j.spec.MergedValues = *f.MergeFacets.MaxValuesPerFacet
		}
	}
}

// parse reads what the merge has to know of a query. A distinct attribute of
// the federation stands for that of the index.
func (q *federatedQuery) parse(distinct *string) {
	q.p = parseSearch(q.text, q.iv)
	if distinct != nil {
		q.p.spec.Distinct, q.p.spec.Unasked, q.p.distinctToo = *distinct, merge.Unasked{}, ""
		q.p.seeDistinct()
	}
}

// misplaced tells whether a query has what is refused before any index is
// looked at.
func misplaced(q federatedQuery) bool {
	return q.q.OffsetSent || q.q.LimitSent || q.q.Page != nil || q.q.HitsPerPage != nil || len(q.q.Facets) > 0 || q.q.Personalize != nil ||
		q.q.ShowPerformanceDetails || q.q.UseNetwork != nil || q.q.Options != nil && (q.q.Options.Remote != nil || q.q.Options.QueryPosition != nil)
}

// notFound is the error about the first index, by name, that is not there.
func (j *federatedJob) notFound(unknown []int) *api.Error {
	first := unknown[0]
	for _, i := range unknown {
		if j.queries[i].q.IndexUID < j.queries[first].q.IndexUID {
			first = i
		}
	}
	return api.IndexNotFound(j.queries[first].q.IndexUID).Prefixed("Inside `.queries[" + strconv.Itoa(first) + "]`: ").WithStatus(http.StatusBadRequest)
}

// rename writes the client's body with the names that nodes know.
func (j *federatedJob) rename(c *Cluster, federation []byte) []byte {
	renamed := federation
	if facets, ok := rawjson.Get(federation, "facetsByIndex"); ok && facets[0] == '{' {
		text := []byte{'{'}
		_ = rawjson.EachMember(facets, func(key, value []byte) bool { // it is valid JSON
			if len(text) > 1 {
				text = append(text, ',')
			}
			uid, _ := rawjson.Unquote(key)
			if iv, ok := c.registry.lookup(uid); ok {
				uid = iv.row.ID
			}
			text = append(append(rawjson.AppendString(text, uid), ':'), value...)
			return true
		})
		renamed = rawjson.Set(nil, federation, "facetsByIndex", append(text, '}'))
	}
	out := append(append([]byte(`{"federation":`), renamed...), `,"queries":[`...)
	for i, q := range j.queries {
		if i > 0 {
			out = append(out, ',')
		}
		uid := q.q.IndexUID
		if q.iv != nil {
			uid = q.iv.row.ID
		}
		out = rawjson.Set(out, q.text, "indexUid", rawjson.AppendString(nil, uid))
	}
	return append(out, "]}"...)
}

// split sorts the queries by index.
func (j *federatedJob) split(c *Cluster, f *api.Federation, federation []byte) *api.Error {
	facets, _ := rawjson.Get(federation, "facetsByIndex")
	for i, q := range j.queries {
		at := slices.IndexFunc(j.parts, func(p *federatedPart) bool { return p.iv == q.iv })
		if at < 0 {
			part := &federatedPart{job: j, iv: q.iv}
			if list, ok := rawjson.Get(facets, q.q.IndexUID); ok && list[0] == '[' {
				part.facets = list
			}
			at, j.parts = len(j.parts), append(j.parts, part)
		}
		j.parts[at].queries = append(j.parts[at].queries, i)
		j.spec.SemanticHits = j.spec.SemanticHits || semanticKind(&q.q.SearchQuery)
		j.spec.QueryVectors = j.spec.QueryVectors || q.q.RetrieveVectors
	}
	slices.SortFunc(j.parts, func(a, b *federatedPart) int { return strings.Compare(a.iv.row.UID, b.iv.row.UID) })
	unused := false
	for _, of := range f.FacetsByIndex {
		if slices.ContainsFunc(j.parts, func(p *federatedPart) bool { return p.iv.row.UID == of.IndexUID }) {
			continue
		}
		if _, ok := c.registry.lookup(of.IndexUID); !ok {
			e := api.IndexNotFound(of.IndexUID)
			return api.NewError(e.Code, "Inside `.federation.facetsByIndex."+of.IndexUID+"`: "+e.Message+
				"\n - Note: index `"+of.IndexUID+"` is not used in queries").WithStatus(http.StatusBadRequest)
		}
		unused = true
	}
	for _, p := range j.parts {
		p.findKeys()
	}
	if unused || len(j.parts) > 1 && j.mayClash(f) {
		j.judge = &replayJob{iv: j.parts[0].iv, shard: topology.ShardSetOf(j.parts[0].iv.table.Shards(), 0), req: jsonCall(http.MethodPost, "/multi-search", j.whole)}
	}
	return nil
}

// semanticKind reports whether a query searches by meaning, if only in part.
func semanticKind(q *api.SearchQuery) bool {
	return q.Hybrid != nil && q.Hybrid.SemanticRatio > 0 && (!q.Blank() || q.Vector != nil || q.Media != nil)
}

// mayClash reports whether queries of several indexes could be refused for not
// fitting together: by their ranking rules, or by the order of their facets.
func (j *federatedJob) mayClash(f *api.Federation) bool {
	first := j.parts[0].iv.settings
	for _, p := range j.parts[1:] {
		if f.MergeFacets != nil && len(f.FacetsByIndex) > 1 && !sameOrders(first.Faceting.SortFacetValuesBy, p.iv.settings.Faceting.SortFacetValuesBy) {
			return true
		}
	}
	sorts := false
	for _, q := range j.queries {
		sorts = sorts || q.p.sorted || q.iv.customRules
	}
	if !sorts {
		return false // all rules are about relevance
	}
	a := &j.queries[0]
	for i := range j.queries[1:] {
		b := &j.queries[1+i]
		if !slices.Equal(a.iv.settings.RankingRules, b.iv.settings.RankingRules) || !slices.Equal(a.q.Sort, b.q.Sort) ||
			a.q.Blank() != b.q.Blank() || a.q.MatchingStrategy != b.q.MatchingStrategy || semanticKind(&a.q.SearchQuery) != semanticKind(&b.q.SearchQuery) {
			return true
		}
	}
	return false
}

func sameOrders(a, b map[string]string) bool {
	if len(a) != len(b) {
		return false
	}
	for k, v := range a {
		if b[k] != v {
			return false
		}
	}
	return true
}

// askJudge is for a search with indexes that are not there. What is wrong with
// a query itself comes first; a node has the words for it.
func (j *federatedJob) askJudge(c *Cluster, unknown []int) (readJob, *api.Error) {
	all := c.registry.list()
	if len(all) == 0 || !slices.ContainsFunc(j.queries, misplaced) {
		return nil, j.notFound(unknown)
	}
	iv := all[0] // any will do: the client may not be told of it
	judge := &replayJob{iv: iv, shard: topology.ShardSetOf(iv.table.Shards(), 0), req: jsonCall(http.MethodPost, "/multi-search", j.whole), shown: onlyRefused}
	return &federatedJudge{judge, j.notFound(unknown)}, nil
}

// federatedJudge asks what else is wrong with a search of indexes that are not
// there.
type federatedJudge struct {
	*replayJob
	otherwise *api.Error // when nothing is
}

func (j *federatedJudge) lost(*indexView) *api.Error { return j.otherwise }

// lost is for an index that was deleted meanwhile.
func (j *federatedJob) lost(iv *indexView) *api.Error {
	var of []int
	for i, q := range j.queries {
		if q.iv == iv {
			of = append(of, i)
		}
	}
	return j.notFound(of)
}

// onlyRefused is for a search that a node was sure to refuse.
func onlyRefused([]byte) ([]byte, error) {
	return nil, api.Internal("a node took a search that others refuse")
}

func (j *federatedJob) scatters() []scatter {
	out := make([]scatter, 0, len(j.parts)+1)
	for _, p := range j.parts {
		out = append(out, p)
	}
	if j.judge != nil {
		out = append(out, j.judge)
	}
	return out
}

func (j *federatedJob) join(in []gathered) (outcome, error) {
	spec, size := j.spec, 1024
	for i, p := range j.parts {
		part := merge.FederatedPart{
			IndexUID: p.iv.row.UID, Legs: in[i].bodies, MaxTotalHits: p.iv.settings.Pagination.MaxTotalHits, HasFacets: p.facets != nil,
			FacetOrder: p.iv.facetOrder, MaxValuesPerFacet: p.iv.settings.Faceting.MaxValuesPerFacet, HiddenSorts: p.iv.hidden,
		}
		for _, q := range p.queries {
			of := &j.queries[q]
			part.Queries = append(part.Queries, merge.FederatedQuery{Position: q, Weight: of.weight, Distinct: of.p.spec.Distinct,
				Strip: of.p.spec.Strip, Unasked: of.p.spec.Unasked, ShowRankingScoreDetails: of.p.spec.ShowRankingScoreDetails})
		}
		spec.Parts = append(spec.Parts, part)
		for _, b := range in[i].bodies {
			size += len(b)
		}
	}
	spec.AsIs = len(j.parts) == 1 && in[0].alone && len(in[0].bodies) == 1
	if id, err := uuid.NewV7(); err == nil && (len(in) == 0 || slices.ContainsFunc(in, func(g gathered) bool { return g.version != nil && !g.version.capsTotals() })) {
		spec.RequestUID = id.String()
	}
	if j.metadata {
		spec.Metadata = j.describe()
	}
	if j.performance {
		spec.Idle = []byte(`{"search":"0.00ns"}`)
	}
	return answered(merge.Federated(make([]byte, 0, size), &spec))
}

// describe makes the metadata of all queries.
func (j *federatedJob) describe() []byte {
	all := make([]searchMetadata, len(j.queries))
	for i, q := range j.queries {
		all[i] = searchMetadata{IndexUID: q.iv.row.UID, PrimaryKey: q.iv.row.PrimaryKey}
		if text, ok := rawjson.Get(q.text, "q"); ok && string(text) != "null" {
			all[i].Query = text
		}
		if id, err := uuid.NewV7(); err == nil {
			all[i].QueryUID = id.String()
		}
	}
	return mustJSON(all)
}
