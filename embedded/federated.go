package embedded

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/miroir-search/miroir/api"
	"github.com/miroir-search/miroir/embedded/engine"
	"github.com/miroir-search/miroir/rawjson"
)

// fedHit is one hit of one query inside a federated search.
type fedHit struct {
	hit    *engine.Hit
	query  int
	index  string
	weight float64
}

// federatedSearch merges the hits of all queries into one list.
func (r *request) federatedSearch(m *api.MultiSearch) (*reply, *api.Error) {
	started := time.Now()
	f := m.Federation
	if err := checkFederation(m); err != nil {
		return nil, err
	}
	offset, limit := f.Offset, f.Limit
	paged := f.Page != nil || f.HitsPerPage != nil
	pageNo, perPage := 1, api.DefaultSearchLimit
	if paged {
		if f.Page != nil {
			pageNo = *f.Page
		}
		if f.HitsPerPage != nil {
			perPage = *f.HitsPerPage
		}
		offset, limit = pageStart(pageNo, perPage), perPage
		if pageNo == 0 {
			limit = 0
		}
	}
	offset, limit = min(offset, deepest), min(limit, deepest)
	for _, facets := range f.FacetsByIndex {
		if !slices.ContainsFunc(m.Queries, func(q api.MultiQuery) bool { return q.IndexUID == facets.IndexUID }) {
			if err := unusedFacets(r, facets.IndexUID); err != nil {
				return nil, err
			}
		}
	}
	fed := &federation{request: r, facets: make(map[string]*engine.Result), totals: make(map[string]int), seen: make(map[string]map[string]int)}
	for i := range m.Queries {
		if err := fed.run(i, m, offset+limit); err != nil {
			return nil, insideQuery(i, err)
		}
	}
	hits := fed.merge()
	from := min(offset, len(hits))
	hits = hits[from : from+min(limit, len(hits)-from)]
	b := append([]byte(`{"hits":[`), fed.encode(hits)...)
	b = append(b, ']')
	b = intMember(b, "processingTimeMs", int(time.Since(started).Milliseconds()))
	res := &engine.Result{Offset: f.Offset, Limit: f.Limit, Total: fed.total(), Paged: paged, Page: pageNo, HitsPerPage: perPage}
	if perPage > 0 {
		res.TotalPages = (res.Total + perPage - 1) / perPage
	}
	b = appendPaging(b, res)
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
	return &reply{status: http.StatusOK, raw: append(b, '}')}, nil
}

// unusedFacets is the error of wanting facets of an index that no query searches.
func unusedFacets(r *request, uid string) *api.Error {
	inside := "Inside `.federation.facetsByIndex." + uid + "`: "
	note := "\n - Note: index `" + uid + "` is not used in queries"
	if _, err := r.core.lookup(uid); err != nil {
		return api.NewError(err.Code, inside+err.Message+note).WithStatus(http.StatusBadRequest)
	}
	return nil
}

// checkFederation refuses what cannot be said inside a query of a federated search.
func checkFederation(m *api.MultiSearch) *api.Error {
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
		if q.ShowPerformanceDetails {
			return insideQuery(i, api.NewError("invalid_multi_search_query_show_performance_details", "Using `.showPerformanceDetails` is not "+
				"allowed in federated queries.\n - Hint: remove `showPerformanceDetails` from the query or remove `federation` from the request"))
		}
		if q.Options != nil && (q.Options.Remote != nil || q.Options.QueryPosition != nil) {
			return insideQuery(i, networkNotEnabled("Performing a remote federated search"))
		}
	}
	return nil
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

// federation gathers the hits of the queries of one federated search.
type federation struct {
	request  *request
	hits     []fedHit
	facets   map[string]*engine.Result // by index: the result that carries facets
	totals   map[string]int            // by index
	seen     map[string]map[string]int // by index: the ids found so far
	metadata []*metadata
	semantic bool
}

func (fed *federation) run(i int, m *api.MultiSearch, depth int) *api.Error {
	q := m.Queries[i].SearchQuery
	uid := m.Queries[i].IndexUID
	shared := sharesIndex(m, uid)
	q.Offset, q.Limit = 0, depth
	if shared {
		// the union of what several queries find in one index needs all of it
		q.Limit = max(depth, 1<<20)
	}
	if d := m.Federation.Distinct; d != nil && q.Distinct == nil {
		q.Distinct = d
	}
	if at := slices.IndexFunc(m.Federation.FacetsByIndex, func(f api.IndexFacets) bool { return f.IndexUID == uid }); at >= 0 {
		if q.Facets = m.Federation.FacetsByIndex[at].Facets; len(q.Facets) > 0 && shared {
			return api.NewError(api.CodeNotSupported, "an embedded node does not count facets over several queries of one index")
		}
	}
	res, x, err := fed.request.runSearch(uid, &q)
	if err != nil && err.Code == "invalid_search_facets" {
		return err.Prefixed("Inside `.federation.facetsByIndex." + uid + "`: ")
	}
	if err != nil {
		return err
	}
	if res.FacetDistribution != nil {
		fed.facets[uid] = res
	}
	fed.semantic = fed.semantic || res.SemanticHitCount != nil
	fed.metadata = append(fed.metadata, x.metadata(&q))
	weight := 1.0
	if o := m.Queries[i].Options; o != nil {
		weight = o.Weight
	}
	if fed.seen[uid] == nil {
		fed.seen[uid] = make(map[string]int)
	}
	for h := range res.Hits {
		fed.seen[uid][res.Hits[h].ID]++
		fed.hits = append(fed.hits, fedHit{&res.Hits[h], i, uid, weight})
	}
	fed.totals[uid] = max(fed.totals[uid], res.Total)
	if shared {
		fed.totals[uid] = max(fed.totals[uid], len(fed.seen[uid]))
	}
	return nil
}

func sharesIndex(m *api.MultiSearch, uid string) bool {
	n := 0
	for i := range m.Queries {
		if m.Queries[i].IndexUID == uid {
			n++
		}
	}
	return n > 1
}

func (fed *federation) total() int {
	sum := 0
	for _, n := range fed.totals {
		sum += n
	}
	return sum
}

// merge orders the hits; a document found by several queries keeps its best place.
func (fed *federation) merge() []fedHit {
	slices.SortStableFunc(fed.hits, func(a, b fedHit) int {
		return engine.CompareScores(a.hit.Scores, a.weight, b.hit.Scores, b.weight)
	})
	type place struct{ index, id string }
	seen := make(map[place]bool)
	return slices.DeleteFunc(fed.hits, func(h fedHit) bool {
		p := place{h.index, h.hit.ID}
		dup := seen[p]
		seen[p] = true
		return dup
	})
}

// encode writes the hits with their _federation member.
func (fed *federation) encode(hits []fedHit) []byte {
	var b []byte
	for i, h := range hits {
		if i > 0 {
			b = append(b, ',')
		}
		extra := fmt.Appendf(nil, `"_federation":{"indexUid":%s,"queriesPosition":%d,"weightedRankingScore":%s}`,
			api.QuoteJSON(h.index), h.query, api.FormatFloat(h.hit.Score*h.weight))
		b = rawjson.AppendMembers(b, h.hit.Document, extra)
	}
	return b
}

type indexFacets struct {
	Distribution engine.FacetDistribution `json:"distribution"`
	Stats        map[string]statsView     `json:"stats"`
}

// appendFacets writes the facets, by index or merged.
func (fed *federation) appendFacets(b []byte, f *api.Federation) []byte {
	if len(fed.facets) == 0 {
		return b
	}
	if f.MergeFacets == nil {
		b = append(member(b, "facetsByIndex"), '{')
		for _, uid := range sortedKeys(fed.facets) {
			res := fed.facets[uid]
			b = jsonMember(b, uid, indexFacets{res.FacetDistribution, floatStats(res.FacetStats)})
		}
		return append(b, '}')
	}
	limit := api.DefaultMaxValuesPerFacet
	if f.MergeFacets.MaxValuesPerFacet != nil {
		limit = *f.MergeFacets.MaxValuesPerFacet
	}
	dist, stats := mergeFacets(fed.facets, limit)
	b = jsonMember(b, "facetDistribution", dist)
	return jsonMember(b, "facetStats", floatStats(stats))
}

// mergeFacets adds the counts of all indexes, value by value, in alphabetical order.
func mergeFacets(all map[string]*engine.Result, limit int) (engine.FacetDistribution, map[string]engine.FacetStats) {
	counts, stats := make(map[string]map[string]uint64), make(map[string]engine.FacetStats)
	for _, uid := range sortedKeys(all) {
		for _, facet := range all[uid].FacetDistribution {
			if counts[facet.Field] == nil {
				counts[facet.Field] = make(map[string]uint64)
			}
			for _, v := range facet.Values {
				counts[facet.Field][v.Value] += v.Count
			}
		}
		for field, s := range all[uid].FacetStats {
			if old, there := stats[field]; there {
				s = engine.FacetStats{Min: min(old.Min, s.Min), Max: max(old.Max, s.Max)}
			}
			stats[field] = s
		}
	}
	dist := engine.FacetDistribution{}
	for _, field := range sortedKeys(counts) {
		facet := engine.FacetCounts{Field: field}
		for _, value := range sortedFacetValues(counts[field]) {
			if len(facet.Values) < limit {
				facet.Values = append(facet.Values, engine.FacetValue{Value: value, Count: counts[field][value]})
			}
		}
		dist = append(dist, facet)
	}
	return dist, stats
}

// sortedFacetValues puts numbers before texts.
func sortedFacetValues(values map[string]uint64) []string {
	names := sortedKeys(values)
	slices.SortStableFunc(names, func(a, b string) int {
		_, errA := strconv.ParseFloat(a, 64)
		_, errB := strconv.ParseFloat(b, 64)
		switch {
		case errA == nil && errB != nil:
			return -1
		case errA != nil && errB == nil:
			return 1
		default:
			return 0
		}
	})
	return names
}
