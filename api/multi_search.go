package api

// MultiSearch is the body of POST /multi-search.
type MultiSearch struct {
	Queries    []MultiQuery
	Federation *Federation
}

// MultiQuery is one query of a multi-search.
type MultiQuery struct {
	IndexUID string
	SearchQuery
	// OffsetSent and LimitSent tell whether these were in the request; a federated search refuses them.
	OffsetSent, LimitSent bool
	Options               *FederationOptions
}

// FederationOptions weigh one query inside a federated search.
type FederationOptions struct {
	Weight        float64
	Remote        *string
	QueryPosition *int
}

// Federation asks for one merged list.
type Federation struct {
	Limit, Offset     int
	Page, HitsPerPage *int
	// FacetsByIndex has the facets of each index; nil for null. Its keys are in the order they were sent.
	FacetsByIndex          []IndexFacets
	MergeFacets            *MergeFacets
	Distinct               *string
	ShowPerformanceDetails bool
	Personalize            *Personal
}

// IndexFacets are the facets wanted of one index.
type IndexFacets struct {
	IndexUID string
	Facets   []string
}

// MergeFacets asks for facets merged over indexes.
type MergeFacets struct {
	MaxValuesPerFacet *int
}

// DecodeMultiSearch reads the body of POST /multi-search.
func DecodeMultiSearch(v Value) (*MultiSearch, *Error) {
	m := &MultiSearch{}
	return m, DecodeObject(v, At{}, "bad_request", []Field{
		{Name: "queries", Into: List(readMultiQuery)("bad_request", &m.Queries), Required: true},
		{Name: "federation", Into: Maybe("bad_request", &m.Federation, readFederation)},
	})
}

func readMultiQuery(code string, q *MultiQuery) Into {
	q.SearchQuery = *NewSearchQuery()
	sent := func(flag *bool, field Into) Into {
		return func(v Value, at At) *Error {
			if v.Kind == Null {
				return nil
			}
			*flag = true
			return field(v, at)
		}
	}
	fields := []Field{
		{Name: "indexUid", Into: UID("invalid_index_uid", &q.IndexUID), Required: true, MissingCode: "missing_index_uid"},
		{Name: "q", Into: Maybe("invalid_search_q", &q.Q, Text)},
		{Name: "offset", Into: sent(&q.OffsetSent, Count("invalid_search_offset", &q.Offset))},
		{Name: "limit", Into: sent(&q.LimitSent, Count("invalid_search_limit", &q.Limit))},
	}
	fields = append(fields, q.fields()...)
	fields = append(fields, Field{Name: "federationOptions", Into: Maybe("bad_request", &q.Options, readFederationOptions)})
	return func(v Value, at At) *Error { return DecodeObject(v, at, code, fields) }
}

func readFederationOptions(code string, o *FederationOptions) Into {
	o.Weight = 1
	positive := func(f float64) string {
		if f < 0 {
			return "the value of `weight` is invalid, expected a positive float (>= 0.0)."
		}
		return ""
	}
	return ObjectInto(code, func() []Field {
		return []Field{
			{Name: "weight", Into: Checked(Number, positive)("invalid_multi_search_weight", &o.Weight)},
			{Name: "remote", Into: Maybe("invalid_multi_search_remote", &o.Remote, Text)},
			{Name: "queryPosition", Into: Maybe("invalid_multi_search_query_position", &o.QueryPosition, Count)},
		}
	})
}

func readFederation(code string, f *Federation) Into {
	f.Limit = DefaultSearchLimit
	return ObjectInto(code, func() []Field {
		return []Field{
			{Name: "limit", Into: Count("invalid_search_limit", &f.Limit)},
			{Name: "offset", Into: Count("invalid_search_offset", &f.Offset)},
			{Name: "page", Into: Maybe("invalid_search_page", &f.Page, Count)},
			{Name: "hitsPerPage", Into: Maybe("invalid_search_hits_per_page", &f.HitsPerPage, Count)},
			{Name: "facetsByIndex", Into: facetsByIndex(&f.FacetsByIndex)},
			{Name: "mergeFacets", Into: Maybe("invalid_multi_search_merge_facets", &f.MergeFacets, readMergeFacets)},
			{Name: "distinct", Into: Maybe("invalid_search_distinct", &f.Distinct, Text)},
			{Name: "showPerformanceDetails", Into: Bool("invalid_search_show_performance_details", &f.ShowPerformanceDetails)},
			{Name: "personalize", Into: Maybe("invalid_search_personalize", &f.Personalize, readPersonal)},
		}
	})
}

func facetsByIndex(dst *[]IndexFacets) Into {
	const code = "invalid_multi_search_facets_by_index"
	return func(v Value, at At) *Error {
		if v.Kind != Object {
			return WrongType(code, at, v, Object)
		}
		for _, m := range v.Obj {
			if !ValidIndexUID(m.Key) {
				return Invalid(code, at, "the key "+QuoteJSON(m.Key)+" could not be deserialized into the key type `meilisearch_types::index_uid::IndexUid`")
			}
			entry := IndexFacets{IndexUID: m.Key}
			if err := MaybeList(code, &entry.Facets, Text)(m.Value, at.Key(m.Key)); err != nil {
				return err
			}
			*dst = append(*dst, entry)
		}
		return nil
	}
}

func readMergeFacets(code string, m *MergeFacets) Into {
	return ObjectInto(code, func() []Field {
		return []Field{{Name: "maxValuesPerFacet", Into: Maybe("invalid_multi_search_max_values_per_facet",
			&m.MaxValuesPerFacet, Count)}}
	})
}

// FacetSearchQuery is the body of POST /facet-search.
type FacetSearchQuery struct {
	FacetQuery            *string
	FacetName             string
	Q                     *string
	Vector                []float32
	Media                 *Value
	Hybrid                *Hybrid
	Filter                *Value
	MatchingStrategy      string
	AttributesToSearchOn  []string
	RankingScoreThreshold *float64
	Locales               []string
	ExhaustiveFacetCount  *bool
	UseNetwork            *bool
}

// DecodeFacetSearch reads the body of POST /facet-search. Unknown members are ignored, here only.
func DecodeFacetSearch(v Value) (*FacetSearchQuery, *Error) {
	q := &FacetSearchQuery{MatchingStrategy: "last"}
	return q, DecodeOpenObject(v, At{}, "bad_request", []Field{
		{Name: "facetQuery", Into: Maybe("invalid_facet_search_query", &q.FacetQuery, Text)},
		{Name: "facetName", Into: Text("invalid_facet_search_facet_name", &q.FacetName), Required: true,
			MissingCode: "missing_facet_search_facet_name"},
		{Name: "q", Into: Maybe("invalid_search_q", &q.Q, Text)},
		{Name: "vector", Into: MaybeList("invalid_search_vector", &q.Vector, Float32)},
		{Name: "media", Into: Maybe("invalid_search_media", &q.Media, Raw)},
		{Name: "hybrid", Into: Maybe("invalid_search_hybrid_query", &q.Hybrid, readHybrid)},
		{Name: "filter", Into: Maybe("invalid_search_filter", &q.Filter, Raw)},
		{Name: "matchingStrategy", Into: matchingStrategy(&q.MatchingStrategy)},
		{Name: "attributesToSearchOn", Into: MaybeList("invalid_search_attributes_to_search_on", &q.AttributesToSearchOn, Text)},
		{Name: "rankingScoreThreshold", Into: Maybe("invalid_search_ranking_score_threshold", &q.RankingScoreThreshold, threshold)},
		{Name: "locales", Into: MaybeList("invalid_search_locales", &q.Locales, OneOf(Locales()...))},
		{Name: "exhaustiveFacetCount", Into: Maybe("invalid_facet_search_exhaustive_facet_count", &q.ExhaustiveFacetCount, Bool)},
		{Name: "useNetwork", Into: Maybe("invalid_search_use_network", &q.UseNetwork, Bool)},
	})
}

// SimilarQuery is a request for similar documents. It encodes as the body of an equal POST /similar.
type SimilarQuery struct {
	// ID is a JSON value: its shape is checked by the route, because the error depends on it.
	ID                      Value    `json:"id"`
	Offset                  int      `json:"offset,omitempty"`
	Limit                   int      `json:"limit"`
	Filter                  *Value   `json:"filter,omitempty"`
	Embedder                string   `json:"embedder"`
	AttributesToRetrieve    []string `json:"attributesToRetrieve,omitzero"`
	RetrieveVectors         bool     `json:"retrieveVectors,omitempty"`
	ShowRankingScore        bool     `json:"showRankingScore,omitempty"`
	ShowRankingScoreDetails bool     `json:"showRankingScoreDetails,omitempty"`
	ShowPerformanceDetails  bool     `json:"showPerformanceDetails,omitempty"`
	RankingScoreThreshold   *float64 `json:"rankingScoreThreshold,omitempty"`
}

// DecodeSimilar reads the body of POST /similar.
func DecodeSimilar(v Value) (*SimilarQuery, *Error) {
	q := &SimilarQuery{Limit: DefaultSearchLimit}
	return q, DecodeObject(v, At{}, "bad_request", []Field{
		{Name: "id", Into: Raw("invalid_similar_id", &q.ID), Required: true, MissingCode: "bad_request"},
		{Name: "offset", Into: Count("invalid_similar_offset", &q.Offset)},
		{Name: "limit", Into: Count("invalid_similar_limit", &q.Limit)},
		{Name: "filter", Into: Maybe("invalid_similar_filter", &q.Filter, Raw)},
		{Name: "embedder", Into: Text("invalid_similar_embedder", &q.Embedder), Required: true},
		{Name: "attributesToRetrieve", Into: MaybeList("invalid_similar_attributes_to_retrieve", &q.AttributesToRetrieve, Text)},
		{Name: "retrieveVectors", Into: Bool("invalid_similar_retrieve_vectors", &q.RetrieveVectors)},
		{Name: "showRankingScore", Into: Bool("invalid_similar_show_ranking_score", &q.ShowRankingScore)},
		{Name: "showRankingScoreDetails", Into: Bool("invalid_similar_show_ranking_score_details", &q.ShowRankingScoreDetails)},
		{Name: "showPerformanceDetails", Into: Bool("invalid_similar_show_performance_details", &q.ShowPerformanceDetails)},
		{Name: "rankingScoreThreshold", Into: Maybe("invalid_similar_ranking_score_threshold", &q.RankingScoreThreshold, threshold)},
	})
}

// ParseSimilar reads the parameters of GET /similar.
func ParseSimilar(raw string) (*SimilarQuery, *Error) {
	q := &SimilarQuery{Limit: DefaultSearchLimit}
	var filter *string
	err := DecodeQuery(raw, []Field{
		{Name: "id", Into: Raw("invalid_similar_id", &q.ID), Required: true},
		{Name: "embedder", Into: Text("invalid_similar_embedder", &q.Embedder), Required: true},
		{Name: "offset", Into: ParamCount("invalid_similar_offset", &q.Offset)},
		{Name: "limit", Into: ParamCount("invalid_similar_limit", &q.Limit)},
		{Name: "attributesToRetrieve", Into: ParamList("invalid_similar_attributes_to_retrieve", &q.AttributesToRetrieve)},
		{Name: "retrieveVectors", Into: ParamBool("invalid_similar_retrieve_vectors", &q.RetrieveVectors)},
		{Name: "filter", Into: Maybe("invalid_similar_filter", &filter, Text)},
		{Name: "showRankingScore", Into: ParamBool("invalid_similar_show_ranking_score", &q.ShowRankingScore)},
		{Name: "showRankingScoreDetails", Into: ParamBool("invalid_similar_show_ranking_score_details", &q.ShowRankingScoreDetails)},
		{Name: "showPerformanceDetails", Into: ParamBool("invalid_similar_show_performance_details", &q.ShowPerformanceDetails)},
		{Name: "rankingScoreThreshold", Into: Maybe("invalid_similar_ranking_score_threshold", &q.RankingScoreThreshold,
			paramUnit("rankingScoreThreshold"))},
	})
	q.Filter = ParamFilter(filter)
	return q, err
}
