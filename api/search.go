package api

import (
	"strconv"
	"strings"
)

// SearchQuery is a search request with its defaults filled in. It encodes as the body of an equal POST /search.
type SearchQuery struct {
	Q           *string `json:"q,omitempty"`
	Offset      int     `json:"offset,omitempty"`
	Limit       int     `json:"limit"`
	Page        *int    `json:"page,omitempty"`
	HitsPerPage *int    `json:"hitsPerPage,omitempty"`
	// Lists are nil when they were not sent, or null.
	AttributesToRetrieve  []string `json:"attributesToRetrieve,omitzero"`
	AttributesToCrop      []string `json:"attributesToCrop,omitzero"`
	CropLength            int      `json:"cropLength"`
	CropMarker            string   `json:"cropMarker"`
	AttributesToHighlight []string `json:"attributesToHighlight,omitzero"`
	HighlightPreTag       string   `json:"highlightPreTag"`
	HighlightPostTag      string   `json:"highlightPostTag"`
	ShowMatchesPosition   bool     `json:"showMatchesPosition,omitempty"`
	// Filter is nil, or any JSON value: its type is checked when it is evaluated.
	Filter                  *Value    `json:"filter,omitempty"`
	Sort                    []string  `json:"sort,omitzero"`
	Distinct                *string   `json:"distinct,omitempty"`
	Facets                  []string  `json:"facets,omitzero"`
	MatchingStrategy        string    `json:"matchingStrategy"`
	AttributesToSearchOn    []string  `json:"attributesToSearchOn,omitzero"`
	RankingScoreThreshold   *float64  `json:"rankingScoreThreshold,omitempty"`
	Locales                 []string  `json:"locales,omitzero"`
	Hybrid                  *Hybrid   `json:"hybrid,omitempty"`
	Vector                  []float32 `json:"vector,omitzero"`
	RetrieveVectors         bool      `json:"retrieveVectors,omitempty"`
	Media                   *Value    `json:"media,omitempty"`
	Personalize             *Personal `json:"personalize,omitempty"`
	UseNetwork              *bool     `json:"useNetwork,omitempty"`
	ShowRankingScore        bool      `json:"showRankingScore,omitempty"`
	ShowRankingScoreDetails bool      `json:"showRankingScoreDetails,omitempty"`
	ShowPerformanceDetails  bool      `json:"showPerformanceDetails,omitempty"`
}

// Hybrid asks for semantic results.
type Hybrid struct {
	SemanticRatio float64 `json:"semanticRatio"`
	Embedder      string  `json:"embedder"`
}

// Personal is the personalize parameter.
type Personal struct {
	UserContext string `json:"userContext"`
}

// Defaults of search requests.
const (
	DefaultSearchLimit   = 20
	DefaultCropLength    = 10
	DefaultCropMarker    = "…"
	DefaultPreTag        = "<em>"
	DefaultPostTag       = "</em>"
	DefaultSemanticRatio = 0.5
)

// NewSearchQuery returns a query with the defaults.
func NewSearchQuery() *SearchQuery {
	return &SearchQuery{Limit: DefaultSearchLimit, CropLength: DefaultCropLength, CropMarker: DefaultCropMarker,
		HighlightPreTag: DefaultPreTag, HighlightPostTag: DefaultPostTag, MatchingStrategy: "last"}
}

// MarshalJSON prints the value compactly.
func (v Value) MarshalJSON() ([]byte, error) { return v.append(nil), nil }

// Paged tells whether the request counts pages instead of offset and limit.
func (q *SearchQuery) Paged() bool { return q.Page != nil || q.HitsPerPage != nil }

// Blank tells whether there are no query words.
func (q *SearchQuery) Blank() bool { return q.Q == nil || strings.TrimSpace(*q.Q) == "" }

// DecodeSearch reads the body of POST /search.
func DecodeSearch(v Value) (*SearchQuery, *Error) {
	q := NewSearchQuery()
	fields := append(q.pagingFields(), q.fields()...)
	return q, DecodeObject(v, At{}, "bad_request", fields)
}

func (q *SearchQuery) pagingFields() []Field {
	return []Field{
		{Name: "q", Into: Maybe("invalid_search_q", &q.Q, Text)},
		{Name: "offset", Into: Count("invalid_search_offset", &q.Offset)},
		{Name: "limit", Into: Count("invalid_search_limit", &q.Limit)},
	}
}

func (q *SearchQuery) fields() []Field {
	return []Field{
		{Name: "page", Into: Maybe("invalid_search_page", &q.Page, Count)},
		{Name: "hitsPerPage", Into: Maybe("invalid_search_hits_per_page", &q.HitsPerPage, Count)},
		{Name: "attributesToRetrieve", Into: MaybeList("invalid_search_attributes_to_retrieve", &q.AttributesToRetrieve, Text)},
		{Name: "attributesToCrop", Into: MaybeList("invalid_search_attributes_to_crop", &q.AttributesToCrop, Text)},
		{Name: "cropLength", Into: Count("invalid_search_crop_length", &q.CropLength)},
		{Name: "cropMarker", Into: Text("invalid_search_crop_marker", &q.CropMarker)},
		{Name: "attributesToHighlight", Into: MaybeList("invalid_search_attributes_to_highlight", &q.AttributesToHighlight, Text)},
		{Name: "highlightPreTag", Into: Text("invalid_search_highlight_pre_tag", &q.HighlightPreTag)},
		{Name: "highlightPostTag", Into: Text("invalid_search_highlight_post_tag", &q.HighlightPostTag)},
		{Name: "showMatchesPosition", Into: Bool("invalid_search_show_matches_position", &q.ShowMatchesPosition)},
		{Name: "filter", Into: Maybe("invalid_search_filter", &q.Filter, Raw)},
		{Name: "sort", Into: MaybeList("invalid_search_sort", &q.Sort, Text)},
		{Name: "distinct", Into: Maybe("invalid_search_distinct", &q.Distinct, Text)},
		{Name: "facets", Into: MaybeList("invalid_search_facets", &q.Facets, Text)},
		{Name: "matchingStrategy", Into: matchingStrategy(&q.MatchingStrategy)},
		{Name: "attributesToSearchOn", Into: MaybeList("invalid_search_attributes_to_search_on", &q.AttributesToSearchOn, Text)},
		{Name: "rankingScoreThreshold", Into: Maybe("invalid_search_ranking_score_threshold", &q.RankingScoreThreshold, threshold)},
		{Name: "locales", Into: MaybeList("invalid_search_locales", &q.Locales, OneOf(Locales()...))},
		{Name: "hybrid", Into: Maybe("invalid_search_hybrid_query", &q.Hybrid, readHybrid)},
		{Name: "vector", Into: MaybeList("invalid_search_vector", &q.Vector, Float32)},
		{Name: "retrieveVectors", Into: Bool("invalid_search_retrieve_vectors", &q.RetrieveVectors)},
		{Name: "media", Into: Maybe("invalid_search_media", &q.Media, Raw)},
		{Name: "personalize", Into: Maybe("invalid_search_personalize", &q.Personalize, readPersonal)},
		{Name: "useNetwork", Into: Maybe("invalid_search_use_network", &q.UseNetwork, Bool)},
		{Name: "showRankingScore", Into: Bool("invalid_search_show_ranking_score", &q.ShowRankingScore)},
		{Name: "showRankingScoreDetails", Into: Bool("invalid_search_show_ranking_score_details", &q.ShowRankingScoreDetails)},
		{Name: "showPerformanceDetails", Into: Bool("invalid_search_show_performance_details", &q.ShowPerformanceDetails)},
	}
}

func matchingStrategy(dst *string) Into {
	return OneOf("last", "all", "frequency")("invalid_search_matching_strategy", dst)
}

func threshold(code string, dst *float64) Into {
	return Checked(Number, outsideUnit("rankingScoreThreshold"))(code, dst)
}

func outsideUnit(name string) func(float64) string {
	return func(f float64) string {
		if f >= 0 && f <= 1 {
			return ""
		}
		return unitText(name)
	}
}

func unitText(name string) string {
	return "the value of `" + name + "` is invalid, expected a float between `0.0` and `1.0`."
}

func readHybrid(code string, h *Hybrid) Into {
	h.SemanticRatio = DefaultSemanticRatio
	return ObjectInto(code, func() []Field {
		return []Field{
			{Name: "semanticRatio", Into: Checked(Number, outsideUnit("semanticRatio"))("invalid_search_semantic_ratio",
				&h.SemanticRatio)},
			{Name: "embedder", Into: Text("invalid_search_embedder", &h.Embedder), Required: true},
		}
	})
}

func readPersonal(code string, p *Personal) Into {
	return ObjectInto(code, func() []Field {
		return []Field{{Name: "userContext", Into: Text("invalid_search_personalize_user_context", &p.UserContext), Required: true}}
	})
}

// CheckVectors finds combinations of vector, media and hybrid that cannot be searched; it is what comes after the
// index was found.
func (q *SearchQuery) CheckVectors() *Error {
	switch {
	case q.Media != nil && q.Vector != nil:
		return NewError("invalid_search_media_and_vector",
			"Invalid request: both `media` and `vector` parameters are present.")
	case q.Hybrid == nil && (q.Media != nil || q.Vector != nil):
		return NewError("missing_search_hybrid",
			"Invalid request: missing `hybrid` parameter when `vector` or `media` are present.")
	}
	return nil
}

// ParseSearch reads the parameters of GET /search.
func ParseSearch(raw string) (*SearchQuery, *Error) {
	q := NewSearchQuery()
	var filter, sort, embedder, context *string
	var ratio *float64
	err := DecodeQuery(raw, []Field{
		{Name: "q", Into: Maybe("invalid_search_q", &q.Q, Text)},
		{Name: "offset", Into: ParamCount("invalid_search_offset", &q.Offset)},
		{Name: "limit", Into: ParamCount("invalid_search_limit", &q.Limit)},
		{Name: "page", Into: Maybe("invalid_search_page", &q.Page, ParamCount)},
		{Name: "hitsPerPage", Into: Maybe("invalid_search_hits_per_page", &q.HitsPerPage, ParamCount)},
		{Name: "attributesToRetrieve", Into: ParamList("invalid_search_attributes_to_retrieve", &q.AttributesToRetrieve)},
		{Name: "attributesToCrop", Into: ParamList("invalid_search_attributes_to_crop", &q.AttributesToCrop)},
		{Name: "cropLength", Into: ParamCount("invalid_search_crop_length", &q.CropLength)},
		{Name: "cropMarker", Into: Text("invalid_search_crop_marker", &q.CropMarker)},
		{Name: "attributesToHighlight", Into: ParamList("invalid_search_attributes_to_highlight", &q.AttributesToHighlight)},
		{Name: "highlightPreTag", Into: Text("invalid_search_highlight_pre_tag", &q.HighlightPreTag)},
		{Name: "highlightPostTag", Into: Text("invalid_search_highlight_post_tag", &q.HighlightPostTag)},
		{Name: "showMatchesPosition", Into: ParamBool("invalid_search_show_matches_position", &q.ShowMatchesPosition)},
		{Name: "filter", Into: Maybe("invalid_search_filter", &filter, Text)},
		{Name: "sort", Into: Maybe("invalid_search_sort", &sort, Text)},
		{Name: "distinct", Into: Maybe("invalid_search_distinct", &q.Distinct, Text)},
		{Name: "facets", Into: ParamList("invalid_search_facets", &q.Facets)},
		{Name: "matchingStrategy", Into: matchingStrategy(&q.MatchingStrategy)},
		{Name: "attributesToSearchOn", Into: ParamList("invalid_search_attributes_to_search_on", &q.AttributesToSearchOn)},
		{Name: "rankingScoreThreshold", Into: Maybe("invalid_search_ranking_score_threshold", &q.RankingScoreThreshold,
			paramUnit("rankingScoreThreshold"))},
		{Name: "locales", Into: paramLocales(&q.Locales)},
		{Name: "hybridEmbedder", Into: Maybe("invalid_search_embedder", &embedder, Text)},
		{Name: "hybridSemanticRatio", Into: Maybe("invalid_search_semantic_ratio", &ratio, paramUnit("semanticRatio"))},
		{Name: "vector", Into: paramVector(&q.Vector)},
		{Name: "retrieveVectors", Into: ParamBool("invalid_search_retrieve_vectors", &q.RetrieveVectors)},
		{Name: "personalizeUserContext", Into: Maybe("invalid_search_personalize_user_context", &context, Text)},
		{Name: "useNetwork", Into: Maybe("invalid_search_use_network", &q.UseNetwork, ParamBool)},
		{Name: "showRankingScore", Into: ParamBool("invalid_search_show_ranking_score", &q.ShowRankingScore)},
		{Name: "showRankingScoreDetails", Into: ParamBool("invalid_search_show_ranking_score_details", &q.ShowRankingScoreDetails)},
		{Name: "showPerformanceDetails", Into: ParamBool("invalid_search_show_performance_details", &q.ShowPerformanceDetails)},
	})
	if err != nil {
		return nil, err
	}
	q.Filter = ParamFilter(filter)
	if sort != nil {
		q.Sort = SplitSort(*sort)
	}
	if context != nil {
		q.Personalize = &Personal{UserContext: *context}
	}
	return q, q.setHybrid(embedder, ratio)
}

func (q *SearchQuery) setHybrid(embedder *string, ratio *float64) *Error {
	switch {
	case embedder != nil:
		q.Hybrid = &Hybrid{Embedder: *embedder, SemanticRatio: DefaultSemanticRatio}
		if ratio != nil {
			q.Hybrid.SemanticRatio = *ratio
		}
	case ratio != nil:
		return NewError("invalid_search_hybrid_query", "`hybridEmbedder` is mandatory when `hybridSemanticRatio` is present")
	case q.Vector != nil:
		return NewError("missing_search_hybrid", "`hybridEmbedder` is mandatory when `vector` is present")
	}
	return nil
}

// ParamFilter reads a filter parameter: JSON when it parses as such, else an expression.
func ParamFilter(text *string) *Value {
	if text == nil {
		return nil
	}
	v, err := ParseJSON([]byte(*text))
	if err != nil {
		v = Value{Kind: String, Str: *text}
	}
	return &v
}

func paramUnit(name string) Reader[float64] {
	return param(func(s string) (float64, string) {
		f, err := strconv.ParseFloat(s, 64)
		if err != nil || !(f >= 0 && f <= 1) {
			return 0, unitText(name)
		}
		return f, ""
	})
}

func paramVector(dst *[]float32) Into {
	return param(func(s string) ([]float32, string) {
		out := []float32{}
		for _, part := range splitList(s) {
			f, err := strconv.ParseFloat(part, 32)
			if err != nil {
				return nil, "invalid float literal"
			}
			out = append(out, float32(f))
		}
		return out, ""
	})("invalid_search_vector", dst)
}

func paramLocales(dst *[]string) Into {
	return param(func(s string) ([]string, string) {
		list := splitList(s)
		for _, l := range list {
			if !knownLocale(l) {
				return nil, "Unsupported locale `" + l + "`, expected one of " + strings.Join(sortedLocales(), ", ")
			}
		}
		return list, ""
	})("invalid_search_locales", dst)
}

// SplitSort splits a sort parameter at its commas, but not at the one inside `_geoPoint(lat, lng)`.
func SplitSort(text string) []string {
	var out []string
	inPoint := false
	for part := range strings.SplitSeq(strings.Trim(text, `"`), ",") {
		part = strings.TrimSpace(part)
		switch {
		case strings.HasPrefix(part, "_geoPoint("):
			out, inPoint = append(out, part), true
		case inPoint && len(out) > 0:
			out[len(out)-1] += "," + part
			inPoint = !strings.HasSuffix(part, "):asc") && !strings.HasSuffix(part, "):desc")
		default:
			out, inPoint = append(out, part), false
		}
	}
	return out
}
