// Package engine is the search engine inside the embedded node: an in-memory
// inverted index over JSON documents that answers the way one Meilisearch
// server would. It knows nothing of HTTP, tasks or keys; it does no I/O.
package engine

import (
	"encoding/json"

	"github.com/RoaringBitmap/roaring/v2"
)

// Error is a refusal the client must see. Code is a Meilisearch error code and
// Message the text a real server would send.
type Error struct {
	Code    string
	Message string
	// OfIndex says that a real server puts "Index `uid`: " before Message. The
	// engine does not know its uid, so the caller adds it.
	OfIndex bool
}

// Error returns the message alone; the code travels beside it.
func (e *Error) Error() string { return e.Message }

// OpKind tells what one operation of a batch does.
type OpKind uint8

// The operations a batch may hold.
const (
	OpPut       OpKind = iota // replace the whole document
	OpUpdate                  // merge top-level fields into the document
	OpDelete                  // remove one document
	OpClear                   // remove every document
	OpConfigure               // replace the settings
)

// Op is one step of a Batch.
type Op struct {
	Kind OpKind
	// ID is the document's primary key as a string (OpPut, OpUpdate, OpDelete).
	ID string
	// Doc is the document, a JSON object (OpPut, OpUpdate). The engine keeps
	// what it needs of it and never changes it.
	Doc json.RawMessage
	// SkipCreation leaves unknown ids alone (OpPut, OpUpdate).
	SkipCreation bool
	// Settings are the complete new settings (OpConfigure).
	Settings *Settings
}

// Batch is an ordered list of operations that becomes visible as a whole.
type Batch struct {
	Ops []Op
	// Restore says that the documents were in an index before: a document
	// without vectors is then no error.
	Restore bool
}

// OpResult tells what became of one operation of a batch.
type OpResult struct {
	// Existed is true when the document was there before the operation.
	Existed bool
	// Deleted counts the documents the operation removed.
	Deleted uint64
}

// Applied reports a batch that was applied.
type Applied struct {
	// Results has one entry for every operation, in order.
	Results []OpResult
	// Documents is the number of documents after the batch.
	Documents uint64
}

// Hybrid asks for semantic results through an embedder.
type Hybrid struct {
	Embedder      string
	SemanticRatio float64
}

// MatchingStrategy tells which query words may be missing from a hit.
type MatchingStrategy string

// The strategies of Meilisearch; the zero value means MatchLast.
const (
	MatchLast      MatchingStrategy = "last"
	MatchAll       MatchingStrategy = "all"
	MatchFrequency MatchingStrategy = "frequency"
)

// Query mirrors a search request whose types and ranges were checked already.
// NewQuery gives the defaults of the API; the zero value has a limit of 0.
type Query struct {
	Q             string
	Vector        []float32
	Hybrid        *Hybrid
	Offset, Limit int
	// Page and HitsPerPage select page mode when either is set.
	Page, HitsPerPage *int
	// AttributesToRetrieve is nil for all; an empty list gives empty documents.
	AttributesToRetrieve    []string
	RetrieveVectors         bool
	AttributesToCrop        []string
	CropLength              int
	CropMarker              string
	AttributesToHighlight   []string
	HighlightPreTag         string
	HighlightPostTag        string
	ShowMatchesPosition     bool
	ShowRankingScore        bool
	ShowRankingScoreDetails bool
	// Filter is decoded JSON: nil, a string, or an array of strings and arrays
	// of strings.
	Filter   any
	Sort     []string
	Distinct string
	Facets   []string
	// MatchingStrategy is MatchLast when empty.
	MatchingStrategy      MatchingStrategy
	AttributesToSearchOn  []string // nil for all
	RankingScoreThreshold *float64
	Locales               []string
	// CapTotals caps the totals at maxTotalHits, as servers before the
	// federated search path did (v1.21).
	CapTotals bool
}

// NewQuery returns a query with the defaults of the API: limit 20, crop length
// 10 with the marker "…", and <em> tags.
func NewQuery(q string) *Query {
	return &Query{
		Q: q, Limit: 20, CropLength: 10, CropMarker: "…",
		HighlightPreTag: "<em>", HighlightPostTag: "</em>",
	}
}

// Hit is one found document.
type Hit struct {
	// ID is the document's primary key as given to Apply.
	ID string
	// Document is the JSON object to show: the retrieved attributes and all
	// the extra members (_formatted, _rankingScore …) that were asked for.
	Document json.RawMessage
	// Score is the value shown as _rankingScore.
	Score float64
	// Scores has what each ranking rule found, in the order of the rules,
	// whether or not details were asked for. Sort values are not redacted.
	Scores []RuleScore
}

// Result answers a Query.
type Result struct {
	Hits []Hit
	// Total is estimatedTotalHits, or totalHits in page mode.
	Total int
	// Offset and Limit are what was effectively used in offset mode.
	Offset, Limit int
	// Page, HitsPerPage and TotalPages are set in page mode, when Paged.
	Paged                         bool
	Page, HitsPerPage, TotalPages int
	// FacetDistribution is nil unless facets were asked for.
	FacetDistribution FacetDistribution
	// FacetStats is nil unless facets were asked for.
	FacetStats map[string]FacetStats
	// SemanticHitCount is nil for keyword and placeholder searches.
	SemanticHitCount *int
	// QueryVector is set when vectors were to be retrieved and one was used.
	QueryVector []float32
	// Candidates are the numbers of the documents that Total counts. They are not to be changed.
	Candidates *roaring.Bitmap
}

// FacetStats is the range of the numeric values of one facet.
type FacetStats struct {
	Min float64 `json:"min"`
	Max float64 `json:"max"`
}

// FacetValue is one value of a facet and how many candidates hold it.
type FacetValue struct {
	Value string `json:"value"`
	Count uint64 `json:"count"`
}

// FacetCounts are the values of one field in the order to show them.
type FacetCounts struct {
	Field  string
	Values []FacetValue
}

// FacetDistribution is sorted by field name and encodes as an object of
// objects that keeps the order of values.
type FacetDistribution []FacetCounts

// BrowseQuery asks for documents in insertion order or sorted.
type BrowseQuery struct {
	// IDs restricts to these documents; nil for all. Unknown ones are ignored.
	IDs    []string
	Filter any
	Sort   []string
	// Fields is nil or contains "*" for all fields.
	Fields          []string
	Offset, Limit   int
	RetrieveVectors bool
}

// FacetQuery asks for the values of one facet that begin with a text.
type FacetQuery struct {
	FacetName             string
	FacetQuery            *string
	Q                     string
	Filter                any
	Vector                []float32
	Hybrid                *Hybrid
	MatchingStrategy      MatchingStrategy
	AttributesToSearchOn  []string
	RankingScoreThreshold *float64
	Locales               []string
	Exhaustive            bool
}

// SimilarQuery asks for the documents whose vectors are nearest to those of
// one document.
type SimilarQuery struct {
	ID       string
	Embedder string
	// TargetFilter limits which document may be the target, nil for any.
	TargetFilter            any
	Filter                  any
	Offset, Limit           int
	AttributesToRetrieve    []string
	RetrieveVectors         bool
	ShowRankingScore        bool
	ShowRankingScoreDetails bool
	RankingScoreThreshold   *float64
}
