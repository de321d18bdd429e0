package engine

// FilterableRule is one entry of filterableAttributes.
type FilterableRule struct {
	// Plain is set for an entry that was a bare string: it names one field and
	// what is nested in it, and "*" is no wildcard.
	Plain bool
	// Patterns are the attribute patterns; one name for a plain entry.
	Patterns []string
	// FacetSearch allows facet search on the matching fields.
	FacetSearch bool
	// Equality allows =, !=, IN, EXISTS, IS NULL, IS EMPTY.
	Equality bool
	// Comparison allows <, <=, >, >=, TO.
	Comparison bool
}

// PlainFilterable returns the rule a bare string in filterableAttributes means.
func PlainFilterable(name string) FilterableRule {
	return FilterableRule{Plain: true, Patterns: []string{name}, FacetSearch: true, Equality: true, Comparison: true}
}

// TypoSettings are the typoTolerance settings; lengths count characters.
type TypoSettings struct {
	Enabled             bool
	OneTypo, TwoTypos   int
	DisableOnWords      []string
	DisableOnAttributes []string
	DisableOnNumbers    bool
}

// Distribution shifts the scores of an embedder.
type Distribution struct {
	Mean, Sigma float64
}

// Embedder configures user-provided vectors.
type Embedder struct {
	Dimensions      int
	BinaryQuantized bool
	Distribution    *Distribution
}

// LocalizedRule is one entry of localizedAttributes.
type LocalizedRule struct {
	Patterns []string
	Locales  []string
}

// Settings are all index settings the engine acts on. Slices and maps belong
// to the engine once handed over and must not be changed.
type Settings struct {
	// Even makes scores depend on the query and the settings only, and looks at all
	// words that a typo or a prefix leads to. It is no setting of a client: a server's
	// scores also depend on what the documents matched, and it takes the first words
	// of its dictionary, so that shards do not compare.
	Even bool

	DisplayedAttributes  []string // nil for ["*"]
	SearchableAttributes []string // nil for ["*"]
	FilterableAttributes []FilterableRule
	SortableAttributes   []string
	RankingRules         []string
	StopWords            []string
	NonSeparatorTokens   []string
	SeparatorTokens      []string
	Dictionary           []string
	Synonyms             map[string][]string
	DistinctAttribute    string // empty for none
	// ProximityByAttribute is proximityPrecision "byAttribute".
	ProximityByAttribute bool
	Typo                 TypoSettings
	MaxValuesPerFacet    int
	SortFacetValuesBy    map[string]string
	MaxTotalHits         int
	Embedders            map[string]Embedder
	FacetSearch          bool
	// PrefixSearch is prefixSearch "indexingTime"; false is "disabled".
	PrefixSearch        bool
	LocalizedAttributes []LocalizedRule
}

// DefaultSettings are the settings of a new index in v1.50.
func DefaultSettings() Settings {
	return Settings{
		RankingRules: []string{
			"words", "typo", "proximity", "attributeRank", "sort", "wordPosition", "exactness",
		},
		Typo:              TypoSettings{Enabled: true, OneTypo: 5, TwoTypos: 9},
		MaxValuesPerFacet: 100,
		SortFacetValuesBy: map[string]string{"*": "alpha"},
		MaxTotalHits:      1000,
		FacetSearch:       true,
		PrefixSearch:      true,
	}
}
