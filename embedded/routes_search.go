package embedded

import (
	"encoding/json"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/miroir-search/miroir/api"
	"github.com/miroir-search/miroir/embedded/engine"
	"github.com/miroir-search/miroir/embedded/filter"
)

func searchRoutes() []route {
	return []route{
		{method: "POST", path: "/indexes/:index/search", action: "search", handle: searchPost},
		{method: "GET", path: "/indexes/:index/search", action: "search", handle: searchGet},
		{method: "POST", path: "/multi-search", action: "search", handle: multiSearch},
		{method: "POST", path: "/indexes/:index/facet-search", action: "search", handle: facetSearch},
		{method: "POST", path: "/indexes/:index/similar", action: "search", handle: similarPost},
		{method: "GET", path: "/indexes/:index/similar", action: "search", handle: similarGet},
	}
}

func searchPost(r *request) (*reply, *api.Error) {
	if _, err := r.index(); err != nil {
		return nil, err
	}
	v, err := r.readJSON()
	if err != nil {
		return nil, err
	}
	q, err := api.DecodeSearch(v)
	if err != nil {
		return nil, err
	}
	return r.search(q)
}

func searchGet(r *request) (*reply, *api.Error) {
	if _, err := r.index(); err != nil {
		return nil, err
	}
	q, err := api.ParseSearch(r.URL.RawQuery)
	if err != nil {
		return nil, err
	}
	return r.search(q)
}

func (r *request) search(q *api.SearchQuery) (*reply, *api.Error) {
	started := time.Now()
	res, x, err := r.runSearch(r.params["index"], q)
	if err != nil {
		return nil, err
	}
	body := newAnswer(q, res, x, r.metadataWanted())
	body.legacy = r.core.legacy || r.core.feature("legacySearch")
	if !r.core.legacy {
		body.uid = newRequestUID()
	}
	body.took = time.Since(started)
	return &reply{status: 200, raw: body.append(nil)}, nil
}

func newRequestUID() string {
	id, err := uuid.NewV7()
	if err != nil {
		return uuid.NewString()
	}
	return id.String()
}

func (r *request) metadataWanted() bool {
	h := r.Header.Get("Meili-Include-Metadata")
	return h == "1" || strings.EqualFold(h, "true")
}

// runSearch searches one index, within what the caller may see of it.
func (r *request) runSearch(uid string, q *api.SearchQuery) (*engine.Result, *index, *api.Error) {
	c := r.core
	x, err := c.lookup(uid)
	if err != nil {
		return nil, nil, err
	}
	own := *q
	own.Filter = r.access.filter(uid, q.Filter)
	eq, err := c.engineQuery(&own)
	if err != nil {
		return nil, nil, err
	}
	if q.Distinct != nil && *q.Distinct == "" { // which the engine takes for none
		if err := x.engine.CheckDistinct(""); err != nil {
			return nil, nil, engineError(uid, err)
		}
	}
	if q.Media != nil {
		return nil, nil, c.refuseMedia(x, q.Hybrid.Embedder)
	}
	if err := x.checkQueryVector(eq); err != nil {
		return nil, nil, err
	}
	res, searchErr := x.engine.Search(r.Context(), eq)
	if searchErr != nil {
		return nil, nil, engineError(uid, searchErr)
	}
	return res, x, nil
}

// refuseMedia is the error of searching with media: no embedder here can read them.
func (c *core) refuseMedia(x *index, embedder string) *api.Error {
	if _, ok := x.settings.Embedders[embedder]; !ok {
		return api.NewError("invalid_search_embedder", "Cannot find embedder with name `"+embedder+"`.")
	}
	if err := c.require("multimodal", "passing `media` in a search query"); err != nil {
		return err
	}
	return api.NewError(api.CodeNotSupported, "an embedded node does not read media")
}

// engineQuery checks what the types alone cannot tell and translates the query.
func (c *core) engineQuery(q *api.SearchQuery) (*engine.Query, *api.Error) {
	if err := q.CheckVectors(); err != nil {
		return nil, err
	}
	if q.UseNetwork != nil && *q.UseNetwork {
		return nil, c.refuseNetwork()
	}
	if q.Personalize != nil {
		return nil, api.FeatureNotEnabled("reranking search results", "personalization",
			"https://github.com/orgs/meilisearch/discussions/866")
	}
	if err := c.checkFilter(q.Filter); err != nil {
		return nil, err
	}
	eq := &engine.Query{
		Vector: q.Vector, Offset: q.Offset, Limit: q.Limit, Page: q.Page, HitsPerPage: q.HitsPerPage,
		AttributesToRetrieve: q.AttributesToRetrieve, RetrieveVectors: q.RetrieveVectors, AttributesToCrop: q.AttributesToCrop,
		CropLength: q.CropLength, CropMarker: q.CropMarker, AttributesToHighlight: q.AttributesToHighlight,
		HighlightPreTag: q.HighlightPreTag, HighlightPostTag: q.HighlightPostTag, ShowMatchesPosition: q.ShowMatchesPosition,
		ShowRankingScore: q.ShowRankingScore, ShowRankingScoreDetails: q.ShowRankingScoreDetails, Filter: filterOf(q.Filter),
		Sort: q.Sort, Facets: q.Facets, MatchingStrategy: engine.MatchingStrategy(q.MatchingStrategy),
		AttributesToSearchOn: q.AttributesToSearchOn, RankingScoreThreshold: q.RankingScoreThreshold, Locales: q.Locales,
		CapTotals: c.legacy || c.feature("legacySearch"),
	}
	if q.Q != nil {
		eq.Q = *q.Q
	}
	if q.Distinct != nil {
		eq.Distinct = *q.Distinct
	}
	if q.Hybrid != nil {
		eq.Hybrid = &engine.Hybrid{Embedder: q.Hybrid.Embedder, SemanticRatio: q.Hybrid.SemanticRatio}
	}
	return eq, nil
}

func filterOf(v *api.Value) any {
	switch {
	case v == nil:
		return nil
	case v.Kind == api.Float:
		return json.Number(v.String()) // errors print it as it was read
	}
	switch v.Kind {
	case api.Integer, api.NegativeInteger, api.Float:
		return *v // an error, which shows the number as it is
	default:
		return v.Any()
	}
}

// parseFilter reads a filter; the code of its error is that of searches.
func parseFilter(v *api.Value) (*filter.Expr, *api.Error) {
	tree, err := filter.Parse(filterOf(v))
	if err != nil {
		return nil, api.NewError("invalid_search_filter", err.Error())
	}
	return tree, nil
}

// checkFilter refuses what needs an experimental feature that is off.
func (c *core) checkFilter(v *api.Value) *api.Error {
	if v == nil {
		return nil
	}
	tree, err := parseFilter(v)
	if err != nil || tree == nil {
		return err
	}
	if tree.UsesVectors() && !c.feature("multimodal") {
		refused := api.FeatureOff("multimodal", "using a vector filter")
		tree.Uses(func(e *filter.Expr) bool {
			if e.Kind != filter.VectorExists {
				return false
			}
			refused.Message = e.Field.Errorf("%s", refused.Message).Error()
			return true
		})
		return refused
	}
	if !tree.UsesContains() || c.feature("containsFilter") {
		return nil
	}
	refused := api.FeatureOff("containsFilter", "Using `CONTAINS` in a filter")
	tree.Uses(func(e *filter.Expr) bool {
		if e.Kind != filter.Compare || e.Op != filter.Contains {
			return false
		}
		refused.Message = e.Keyword.Errorf("%s", refused.Message).Error()
		return true
	})
	return refused
}

func facetSearch(r *request) (*reply, *api.Error) {
	started := time.Now()
	uid, err := r.index()
	if err != nil {
		return nil, err
	}
	v, err := r.readJSON()
	if err != nil {
		return nil, err
	}
	q, err := api.DecodeFacetSearch(v)
	if err != nil {
		return nil, err
	}
	x, err := r.core.lookup(uid)
	if err != nil {
		return nil, err
	}
	if !x.settings.FacetSearch {
		return nil, api.NewError("facet_search_disabled", "The facet search is disabled for this index")
	}
	f := r.access.filter(uid, q.Filter)
	if err := r.core.checkFilter(f); err != nil {
		return nil, err
	}
	eq := &engine.FacetQuery{FacetName: q.FacetName, FacetQuery: q.FacetQuery, Filter: filterOf(f), Vector: q.Vector,
		MatchingStrategy: engine.MatchingStrategy(q.MatchingStrategy), AttributesToSearchOn: q.AttributesToSearchOn,
		RankingScoreThreshold: q.RankingScoreThreshold, Locales: q.Locales}
	if q.Q != nil {
		eq.Q = *q.Q
	}
	if q.Media != nil && q.Hybrid == nil {
		return nil, api.NewError("missing_search_hybrid", "Invalid request: missing `hybrid` parameter when `vector` or `media` are present.")
	}
	if q.Hybrid != nil {
		eq.Hybrid = &engine.Hybrid{Embedder: q.Hybrid.Embedder, SemanticRatio: q.Hybrid.SemanticRatio}
	}
	eq.Exhaustive = q.ExhaustiveFacetCount != nil && *q.ExhaustiveFacetCount
	hits, searchErr := x.engine.FacetSearch(r.Context(), eq)
	if searchErr != nil {
		return nil, engineError("", searchErr)
	}
	if hits == nil {
		hits = []engine.FacetValue{}
	}
	return ok(struct {
		FacetHits        []engine.FacetValue `json:"facetHits"`
		FacetQuery       *string             `json:"facetQuery"`
		ProcessingTimeMs int64               `json:"processingTimeMs"`
	}{hits, q.FacetQuery, time.Since(started).Milliseconds()})
}

func similarPost(r *request) (*reply, *api.Error) {
	v, err := r.readJSON()
	if err != nil {
		return nil, err
	}
	q, err := api.DecodeSimilar(v)
	if err != nil {
		return nil, err
	}
	return r.similar(q)
}

func similarGet(r *request) (*reply, *api.Error) {
	q, err := api.ParseSimilar(r.URL.RawQuery)
	if err != nil {
		return nil, err
	}
	return r.similar(q)
}

func (r *request) similar(q *api.SimilarQuery) (*reply, *api.Error) {
	started := time.Now()
	x, err := r.indexOf()
	if err != nil {
		return nil, err
	}
	if _, ok := x.settings.Embedders[q.Embedder]; !ok {
		return nil, api.NewError("invalid_similar_embedder", "Cannot find embedder with name `"+q.Embedder+"`.")
	}
	if err := r.core.checkFilter(q.Filter); err != nil {
		return nil, similarError(err)
	}
	id, good := q.ID.DocumentID()
	if !good {
		return nil, api.NewError("invalid_similar_id", "Invalid value at `.id`: "+api.InvalidDocumentIDText(&q.ID))
	}
	res, searchErr := x.engine.Similar(r.Context(), &engine.SimilarQuery{ID: id, Embedder: q.Embedder, TargetFilter: filterOf(r.access.rule(x.uid)),
		Filter: filterOf(r.access.filter(x.uid, q.Filter)), Offset: q.Offset, Limit: q.Limit, AttributesToRetrieve: q.AttributesToRetrieve,
		RetrieveVectors: q.RetrieveVectors, ShowRankingScore: q.ShowRankingScore, ShowRankingScoreDetails: q.ShowRankingScoreDetails,
		RankingScoreThreshold: q.RankingScoreThreshold})
	if searchErr != nil {
		return nil, similarError(engineError("", searchErr))
	}
	return &reply{status: 200, raw: similarAnswer(id, res, time.Since(started), q.ShowPerformanceDetails)}, nil
}

func similarError(e *api.Error) *api.Error {
	if rest, found := strings.CutPrefix(e.Code, "invalid_search_"); found {
		return e.WithCode("invalid_similar_" + rest)
	}
	if e.Code == "document_not_found" {
		return e.WithCode("not_found_similar_id")
	}
	return e
}
