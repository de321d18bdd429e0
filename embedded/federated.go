package embedded

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/RoaringBitmap/roaring/v2"

	"github.com/miroir-search/miroir/api"
	"github.com/miroir-search/miroir/embedded/engine"
)

// federatedSearch merges the hits of all queries into one list.
func (r *request) federatedSearch(m *api.MultiSearch) (*reply, *api.Error) {
	started := time.Now()
	f := m.Federation
	proxied := r.Header.Get("Meili-Proxy-Search") == "true"
	if proxied {
		if err := r.core.require("network", "Performing a remote federated search"); err != nil {
			return nil, err
		}
	}
	if err := r.core.checkFederation(m); err != nil {
		return nil, err
	}
	p := fedPageOf(f)
	fed := &federation{request: r, order: f, depth: p.offset + p.limit, indexes: make(map[string]*fedIndex), proxied: proxied,
		metadata: make([]*metadata, len(m.Queries))}
	if err := fed.runAll(m.Queries); err != nil {
		return nil, err
	}
	for _, facets := range f.FacetsByIndex {
		if fed.indexes[facets.IndexUID] == nil {
			if err := unusedFacets(r, facets); err != nil {
				return nil, err
			}
		}
	}
	hits, rejected := fed.merge()
	if err := fed.countFacets(); err != nil {
		return nil, err
	}
	from := min(p.offset, len(hits))
	hits = hits[from : from+min(p.limit, len(hits)-from)]
	b := append([]byte(`{"hits":[`), fed.encode(hits)...)
	b = append(b, ']')
	b = fed.appendVectors(b)
	b = intMember(b, "processingTimeMs", int(time.Since(started).Milliseconds()))
	b = appendPaging(b, p.result(f, max(fed.total()-rejected, 0)))
	b = fed.appendFacets(b, f)
	if !r.core.legacy {
		b = jsonMember(b, "requestUid", newRequestUID())
	}
	if r.metadataWanted() {
		b = jsonMember(b, "metadata", fed.metadata)
	}
	if fed.semantic {
		n := 0
		for _, h := range hits {
			if slices.ContainsFunc(h.hit.Scores, func(s engine.RuleScore) bool { return s.Kind == engine.RuleVector }) {
				n++
			}
		}
		b = intMember(b, "semanticHitCount", n)
	}
	if f.ShowPerformanceDetails {
		b = jsonMember(b, "performanceDetails", map[string]string{"search": time.Since(started).String()})
	}
	return &reply{status: http.StatusOK, raw: append(b, '}')}, nil
}

// runAll runs the queries. The facets that are wanted of an index are looked at behind the last of its queries.
func (fed *federation) runAll(queries []api.MultiQuery) *api.Error {
	order := byIndex(queries)
	for n, i := range order {
		if err := fed.run(i, &queries[i]); err != nil {
			return insideQuery(i, err)
		}
		uid := queries[i].IndexUID
		if n+1 < len(order) && queries[order[n+1]].IndexUID == uid {
			continue
		}
		if err := fed.checkFacets(fed.indexes[uid]); err != nil {
			return err
		}
	}
	return nil
}

// byIndex are the places of queries in the order in which a real server works on them: index by index, by name.
func byIndex(queries []api.MultiQuery) []int {
	order := make([]int, len(queries))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return strings.Compare(queries[a].IndexUID, queries[b].IndexUID) })
	return order
}

// fedPage is the part of the merged list that is wanted.
type fedPage struct {
	paged         bool
	page, perPage int
	offset, limit int
}

func fedPageOf(f *api.Federation) fedPage {
	p := fedPage{page: 1, perPage: api.DefaultSearchLimit, offset: f.Offset, limit: f.Limit}
	p.offset, p.limit = min(p.offset, deepest), min(p.limit, deepest)
	if p.paged = f.Page != nil || f.HitsPerPage != nil; !p.paged {
		return p
	}
	if f.Page != nil {
		p.page = *f.Page
	}
	if f.HitsPerPage != nil {
		p.perPage = *f.HitsPerPage
	}
	p.limit, p.offset = min(p.perPage, deepest), pageStart(p.page, min(p.perPage, deepest))
	if p.page == 0 {
		p.limit = 0
	}
	return p
}

// deepest is more hits than any index gives: sums of greater numbers need not overflow.
const deepest = 1 << 30

// pageStart is the offset of a page.
func pageStart(page, perPage int) int {
	if page <= 1 || perPage == 0 {
		return 0
	}
	if page-1 > deepest/perPage {
		return deepest
	}
	return (page - 1) * perPage
}

func (p fedPage) result(f *api.Federation, total int) *engine.Result {
	res := &engine.Result{Offset: f.Offset, Limit: f.Limit, Total: total, Paged: p.paged, Page: p.page, HitsPerPage: p.perPage}
	if p.perPage > 0 {
		res.TotalPages = total / p.perPage
		if total%p.perPage > 0 {
			res.TotalPages++
		}
	}
	return res
}

// unusedFacets is the error of wanting facets of an index that no query searches, and that would be wrong there.
func unusedFacets(r *request, wanted api.IndexFacets) *api.Error {
	uid := wanted.IndexUID
	x, err := r.core.lookup(uid)
	if err == nil {
		if _, _, bad := x.engine.Facets(wanted.Facets, roaring.New()); bad != nil {
			err = engineError("", bad)
		}
	}
	if err == nil {
		return nil
	}
	return api.NewError(err.Code, "Inside `.federation.facetsByIndex."+uid+"`: "+err.Message+"\n - Note: index `"+uid+
		"` is not used in queries").WithStatus(http.StatusBadRequest)
}

// checkFederation refuses what cannot be said inside a query of a federated search.
func (c *core) checkFederation(m *api.MultiSearch) *api.Error {
	for i := range m.Queries {
		if err := c.checkFilter(m.Queries[i].Filter); err != nil {
			return insideQuery(i, err)
		}
	}
	for i := range m.Queries {
		q := &m.Queries[i]
		name := ""
		switch {
		case q.OffsetSent:
			name = "offset"
		case q.LimitSent:
			name = "limit"
		case q.Page != nil:
			name = "page"
		case q.HitsPerPage != nil:
			name = "hitsPerPage"
		}
		if name != "" {
			return insideQuery(i, api.NewError("invalid_multi_search_query_pagination", "Using pagination options is not allowed in federated "+
				"queries.\n - Hint: remove `"+name+"` from the query or remove `federation` from the request\n - Hint: pass "+
				"`federation.limit` and `federation.offset` for pagination in federated search"))
		}
		if len(q.Facets) > 0 {
			return insideQuery(i, api.NewError("invalid_multi_search_query_facets", "Using facet options is not allowed in federated "+
				"queries.\n - Hint: remove `facets` from the query or remove `federation` from the request\n - Hint: pass "+
				"`federation.facetsByIndex."+q.IndexUID+": "+debugList(q.Facets)+"` for facets in federated search"))
		}
		if q.Personalize != nil {
			return insideQuery(i, api.NewError("invalid_multi_search_query_personalization", "Using `.personalize` is not allowed in federated "+
				"queries.\n - Hint: remove `personalize` from the query or remove `federation` from the request\n - Hint: pass "+
				"`federation.personalize` for personalization in federated search"))
		}
		if q.ShowPerformanceDetails {
			return insideQuery(i, api.NewError("invalid_multi_search_query_show_performance_details", "Using `.showPerformanceDetails` is not "+
				"allowed in federated queries.\n - Hint: remove `showPerformanceDetails` from the query or remove `federation` from the request"))
		}
		if q.Distinct != nil && m.Federation.Distinct != nil {
			return insideQuery(i, api.NewError("invalid_multi_search_distinct", "Using `distinct` options is not allowed in federated "+
				"queries when it also appears in `.federation.distinct`.\n - Hint: remove `distinct` from the query or remove `federation` "+
				"from the request\n  - Note: `distinct` at the query level is discouraged in federated search."))
		}
		if err := c.checkRemote(q); err != nil {
			return insideQuery(i, err)
		}
	}
	return nil
}

// checkRemote refuses what asks other servers: without the feature as the real server does, with it because nothing here
// calls them.
func (c *core) checkRemote(q *api.MultiQuery) *api.Error {
	if q.Options == nil {
		return nil
	}
	if q.Options.Remote != nil {
		if err := c.require("network", "Performing a remote federated search"); err != nil {
			return err
		}
		return api.NewError(api.CodeNotSupported, "an embedded node does not search on remotes")
	}
	if q.Options.QueryPosition != nil {
		return c.require("network", "Using `federationOptions.queryPosition`")
	}
	return nil
}

func debugList(list []string) string {
	quoted := make([]string, len(list))
	for i, s := range list {
		quoted[i] = api.QuoteJSON(s)
	}
	return "[" + strings.Join(quoted, ", ") + "]"
}
