package merge

// Order is the way the values of one facet are listed.
type Order uint8

// The orders of the setting `faceting.sortFacetValuesBy`.
const (
	// Alpha lists numbers first, then strings by normalized value.
	Alpha Order = iota
	// Count lists the most frequent values first, numbers before strings.
	Count
)

// SearchSpec says what the client asked for and which rules of the index matter for joining the answers.
// The zero value of a field means what its comment says. A spec is never changed by this package, so one
// may be shared.
//
// The legs are expected to have been asked for offset 0 and limit min(Offset+Limit, MaxTotalHits), or in
// page mode for page 1 and hitsPerPage min(Page*HitsPerPage, MaxTotalHits), with ranking score details
// wherever ordering needs them (everywhere but in a search without query and without sort).
type SearchSpec struct {
	// Offset and Limit select the hits in offset mode; both are echoed.
	Offset, Limit int
	// PageMode switches to Page and HitsPerPage, and to the members of that form in the answer.
	PageMode bool
	// Page counts from 1; page 0 has no hits.
	Page int
	// HitsPerPage is the page size; 0 gives no hits and no pages.
	HitsPerPage int

	// MaxTotalHits is the index setting M: no hit of global rank M or later is ever returned. 0 means no
	// bound.
	MaxTotalHits int
	// CapTotals says that the nodes cap totals at M and echo min(offset, M), as the older search path does.
	CapTotals bool

	// ShowRankingScore keeps `_rankingScore` in hits.
	ShowRankingScore bool
	// ShowRankingScoreDetails keeps `_rankingScoreDetails` in hits.
	ShowRankingScoreDetails bool
	// Strip names top-level hit members that the proxy had the nodes add and the client must not see. They
	// vanish from hits, from `_formatted`, and with their dotted children from `_matchesPosition`.
	Strip []string
	// Unasked names a top-level hit member that legs were asked for beyond what the client retrieves. It
	// vanishes from hits, and from `_formatted` unless the client has it formatted; `_matchesPosition` keeps
	// it, because a node shows matches in all displayed attributes there.
	Unasked Unasked
	// HiddenSorts names fields that the client's `displayedAttributes` hides but the nodes were made to
	// show: ranking details of a sort on them are written the way a node writes a hidden rule.
	HiddenSorts []string

	// Pins says that hits may be pinned to positions (dynamic search rules are on).
	Pins bool
	// SemanticHits says that the answer has `semanticHitCount`, counted on the final page.
	SemanticHits bool
	// Distinct names the attribute of which every value may be shown once; the first hit in final order
	// wins. Empty means none. The value is read from the hit, so the legs must have been asked for it. Unless
	// Total is set, totals lose the duplicates that were met; facet counts lose them too.
	Distinct string
	// LegDepth is how many hits each leg was asked for where that may be too few, because duplicates drop out; 0
	// where it is enough. A merge that runs out of hits before the page is full fails with ErrShort.
	LegDepth int
	// Total is the total, where it is known better than from the legs.
	Total *int64
	// Count says what facets are counted from, where that is not the legs.
	Count *FacetSource

	// HasFacets says that the answer has `facetDistribution` and `facetStats`, even if empty, if the legs have them:
	// for an empty list of facets only old nodes do.
	HasFacets bool
	// FacetOrder gives the order of one facet's values; nil means Alpha for all.
	FacetOrder func(facet string) Order
	// MaxValuesPerFacet is the client's faceting setting K; 0 means no bound.
	MaxValuesPerFacet int

	// Query replaces the legs' `query` member when it is not nil (raw JSON).
	Query []byte
	// ProcessingTimeMs is written when it is above 0, else the slowest leg's time.
	ProcessingTimeMs int64
	// RequestUID replaces the legs' `requestUid`; when empty, that member is not written.
	RequestUID string
	// Metadata is written as the `metadata` member when it is not nil (raw JSON). The legs' own is dropped,
	// because it names the node's index.
	Metadata []byte
	// IndexUID is written as the first member, `indexUid`, when it is not empty: the form of one result of
	// a multi-search.
	IndexUID string
}

// FacetSource are answers and documents that facets are counted from.
type FacetSource struct {
	// Plus are answers whose counts are added, Minus those whose counts are taken off.
	Plus, Minus [][]byte
	// More are documents that count once more, Less documents that count once less.
	More, Less [][]byte
}

// window returns which global ranks are shown: [from, to).
func (s *SearchSpec) window() (from, to int) {
	if s.PageMode {
		if s.Page < 1 || s.HitsPerPage < 1 {
			return 0, 0
		}
		from = saturatingMul(s.Page-1, s.HitsPerPage)
		to = saturatingMul(s.Page, s.HitsPerPage)
	} else {
		from, to = max(s.Offset, 0), SaturatingAdd(max(s.Offset, 0), max(s.Limit, 0))
	}
	if s.MaxTotalHits > 0 {
		to = min(to, s.MaxTotalHits)
	}
	if from >= to {
		return 0, 0
	}
	return from, to
}

// Depth returns how many hits every leg must be asked for: enough to fill the page whatever leg its hits come
// from. It is 0 when the page is empty whatever the nodes hold, and totals are all that is needed of them.
func (s *SearchSpec) Depth() int {
	_, to := s.window()
	return to
}

// Looked returns how many hits one node looks for: as many as there are up to the end of the page, even if the page
// itself is empty.
func (s *SearchSpec) Looked() int {
	n := SaturatingAdd(max(s.Offset, 0), max(s.Limit, 0))
	if s.PageMode {
		n = saturatingMul(max(s.Page, 0), max(s.HitsPerPage, 0))
	}
	if s.MaxTotalHits > 0 {
		n = min(n, s.MaxTotalHits)
	}
	return n
}

// DocumentsSpec says what a client that browses documents asked for. The legs are expected to have been
// asked for offset 0 and limit Offset+Limit.
type DocumentsSpec struct {
	// Offset and Limit select the documents and are echoed.
	Offset, Limit int
	// Sort lists the fields the client wants to sort by; empty means insertion order. The values are read
	// from the documents, so the legs must have been asked for those fields.
	Sort []SortField
	// Strip names further top-level members that the client must not see.
	Strip []string
}

// SortField is one entry of a `sort` parameter.
type SortField struct {
	// Field is the attribute name; a dot steps into objects.
	// It is empty for a sort by the distance of `_geo` from Point.
	Field string
	Point [2]float64
	// Desc reverses the order of present values; documents without the field are last either way.
	Desc bool
}

// SaturatingAdd adds two numbers that are not negative, and gives the largest one where that is too much.
func SaturatingAdd(a, b int) int {
	if c := a + b; c >= a {
		return c
	}
	return maxInt
}

func saturatingMul(a, b int) int {
	if a == 0 || b == 0 {
		return 0
	}
	if a > maxInt/b {
		return maxInt
	}
	return a * b
}

const maxInt = int(^uint(0) >> 1)

// Unasked is a member that the client does not retrieve.
type Unasked struct {
	Name      string // empty for none
	Formatted bool   // the client has it highlighted or cropped
}
