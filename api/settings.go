package api

import (
	"encoding/json"
	"maps"
	"slices"
)

// Settings are all settings of an index. It encodes as the answer of GET /settings: every key, in Meilisearch's order.
// DefaultSettings is where a new index begins; the zero value is not meaningful.
type Settings struct {
	DisplayedAttributes  []string         `json:"displayedAttributes"`
	SearchableAttributes []string         `json:"searchableAttributes"`
	FilterableAttributes []FilterableRule `json:"filterableAttributes"`
	SortableAttributes   []string         `json:"sortableAttributes"`
	// ForeignKeys is nil, and not shown, unless a reader wants to see that there are none.
	ForeignKeys         json.RawMessage     `json:"foreignKeys,omitempty"`
	RankingRules        []string            `json:"rankingRules"`
	StopWords           []string            `json:"stopWords"`
	NonSeparatorTokens  []string            `json:"nonSeparatorTokens"`
	SeparatorTokens     []string            `json:"separatorTokens"`
	Dictionary          []string            `json:"dictionary"`
	Synonyms            map[string][]string `json:"synonyms"`
	DistinctAttribute   *string             `json:"distinctAttribute"`
	ProximityPrecision  string              `json:"proximityPrecision"`
	TypoTolerance       TypoTolerance       `json:"typoTolerance"`
	Faceting            Faceting            `json:"faceting"`
	Pagination          Pagination          `json:"pagination"`
	Embedders           map[string]Embedder `json:"embedders"`
	SearchCutoffMs      *uint64             `json:"searchCutoffMs"`
	LocalizedAttributes []LocalizedRule     `json:"localizedAttributes"`
	FacetSearch         bool                `json:"facetSearch"`
	PrefixSearch        string              `json:"prefixSearch"`
	// Chat is nil where nothing was set, and not shown then.
	Chat *Chat `json:"chat,omitempty"`
}

// TypoTolerance is the setting of that name.
type TypoTolerance struct {
	Enabled             bool         `json:"enabled"`
	MinWordSizeForTypos MinWordSizes `json:"minWordSizeForTypos"`
	DisableOnWords      []string     `json:"disableOnWords"`
	DisableOnAttributes []string     `json:"disableOnAttributes"`
	DisableOnNumbers    bool         `json:"disableOnNumbers"`
}

// MinWordSizes are the word lengths, in characters, from which one and two typos are accepted.
type MinWordSizes struct {
	OneTypo  uint8 `json:"oneTypo"`
	TwoTypos uint8 `json:"twoTypos"`
}

// Faceting is the setting of that name. SortFacetValuesBy always has `*`.
type Faceting struct {
	MaxValuesPerFacet int               `json:"maxValuesPerFacet"`
	SortFacetValuesBy map[string]string `json:"sortFacetValuesBy"`
}

// Pagination is the setting of that name.
type Pagination struct {
	MaxTotalHits int `json:"maxTotalHits"`
}

// LocalizedRule is one entry of localizedAttributes.
type LocalizedRule struct {
	AttributePatterns []string `json:"attributePatterns"`
	Locales           []string `json:"locales"`
}

// Defaults that other packages need by name.
const (
	DefaultMaxValuesPerFacet = 100
	DefaultMaxTotalHits      = 1000
)

// DefaultRankingRules are the rules of an index that has set none, in v1.50.
func DefaultRankingRules() []string {
	return []string{"words", "typo", "proximity", "attributeRank", "sort", "wordPosition", "exactness"}
}

// DefaultSettings are the settings of a new index.
func DefaultSettings() *Settings {
	return &Settings{
		DisplayedAttributes: []string{"*"}, SearchableAttributes: []string{"*"}, FilterableAttributes: []FilterableRule{},
		SortableAttributes: []string{}, RankingRules: DefaultRankingRules(), StopWords: []string{},
		NonSeparatorTokens: []string{}, SeparatorTokens: []string{}, Dictionary: []string{}, Synonyms: map[string][]string{},
		ProximityPrecision: "byWord", TypoTolerance: defaultTypoTolerance(),
		Faceting:   Faceting{MaxValuesPerFacet: DefaultMaxValuesPerFacet, SortFacetValuesBy: map[string]string{"*": "alpha"}},
		Pagination: Pagination{MaxTotalHits: DefaultMaxTotalHits}, Embedders: map[string]Embedder{},
		FacetSearch: true, PrefixSearch: "indexingTime",
	}
}

func defaultTypoTolerance() TypoTolerance {
	return TypoTolerance{Enabled: true, MinWordSizeForTypos: MinWordSizes{OneTypo: 5, TwoTypos: 9},
		DisableOnWords: []string{}, DisableOnAttributes: []string{}}
}

// SettingsPatch is a change of settings: the body of PATCH /settings. An absent key is left alone, null resets it. It
// encodes as the change that was sent, which is also what a task shows in its details.
type SettingsPatch struct {
	DisplayedAttributes  Opt[[]string]                 `json:"displayedAttributes,omitzero"`
	SearchableAttributes Opt[[]string]                 `json:"searchableAttributes,omitzero"`
	FilterableAttributes Opt[[]FilterableRule]         `json:"filterableAttributes,omitzero"`
	SortableAttributes   Opt[[]string]                 `json:"sortableAttributes,omitzero"`
	ForeignKeys          Opt[json.RawMessage]          `json:"foreignKeys,omitzero"`
	RankingRules         Opt[[]string]                 `json:"rankingRules,omitzero"`
	StopWords            Opt[[]string]                 `json:"stopWords,omitzero"`
	NonSeparatorTokens   Opt[[]string]                 `json:"nonSeparatorTokens,omitzero"`
	SeparatorTokens      Opt[[]string]                 `json:"separatorTokens,omitzero"`
	Dictionary           Opt[[]string]                 `json:"dictionary,omitzero"`
	Synonyms             Opt[map[string][]string]      `json:"synonyms,omitzero"`
	DistinctAttribute    Opt[string]                   `json:"distinctAttribute,omitzero"`
	ProximityPrecision   Opt[string]                   `json:"proximityPrecision,omitzero"`
	TypoTolerance        Opt[TypoPatch]                `json:"typoTolerance,omitzero"`
	Faceting             Opt[FacetingPatch]            `json:"faceting,omitzero"`
	Pagination           Opt[PaginationPatch]          `json:"pagination,omitzero"`
	Embedders            Opt[map[string]Opt[Embedder]] `json:"embedders,omitzero"`
	SearchCutoffMs       Opt[uint64]                   `json:"searchCutoffMs,omitzero"`
	LocalizedAttributes  Opt[[]LocalizedRule]          `json:"localizedAttributes,omitzero"`
	FacetSearch          Opt[bool]                     `json:"facetSearch,omitzero"`
	PrefixSearch         Opt[string]                   `json:"prefixSearch,omitzero"`
	Chat                 Opt[ChatPatch]                `json:"chat,omitzero"`
}

// TypoPatch changes TypoTolerance member by member.
type TypoPatch struct {
	Enabled             Opt[bool]              `json:"enabled,omitzero"`
	MinWordSizeForTypos Opt[MinWordSizesPatch] `json:"minWordSizeForTypos,omitzero"`
	DisableOnWords      Opt[[]string]          `json:"disableOnWords,omitzero"`
	DisableOnAttributes Opt[[]string]          `json:"disableOnAttributes,omitzero"`
	DisableOnNumbers    Opt[bool]              `json:"disableOnNumbers,omitzero"`
}

// MinWordSizesPatch changes MinWordSizes member by member.
type MinWordSizesPatch struct {
	OneTypo  Opt[uint8] `json:"oneTypo,omitzero"`
	TwoTypos Opt[uint8] `json:"twoTypos,omitzero"`
}

// FacetingPatch changes Faceting member by member.
type FacetingPatch struct {
	MaxValuesPerFacet Opt[int]               `json:"maxValuesPerFacet,omitzero"`
	SortFacetValuesBy Opt[map[string]string] `json:"sortFacetValuesBy,omitzero"`
}

// PaginationPatch changes Pagination.
type PaginationPatch struct {
	MaxTotalHits Opt[int] `json:"maxTotalHits,omitzero"`
}

// ResetSettings is the patch of DELETE /settings: everything back to the defaults. Displayed and searchable attributes
// show as ["*"], the rest as null.
func ResetSettings() *SettingsPatch {
	return &SettingsPatch{
		DisplayedAttributes: Some([]string{"*"}), SearchableAttributes: Some([]string{"*"}),
		FilterableAttributes: NullOpt[[]FilterableRule](), SortableAttributes: NullOpt[[]string](),
		RankingRules: NullOpt[[]string](), StopWords: NullOpt[[]string](), NonSeparatorTokens: NullOpt[[]string](),
		SeparatorTokens: NullOpt[[]string](), Dictionary: NullOpt[[]string](), Synonyms: NullOpt[map[string][]string](),
		DistinctAttribute: NullOpt[string](), ProximityPrecision: NullOpt[string](), TypoTolerance: NullOpt[TypoPatch](),
		Faceting: NullOpt[FacetingPatch](), Pagination: NullOpt[PaginationPatch](),
		Embedders: NullOpt[map[string]Opt[Embedder]](), SearchCutoffMs: NullOpt[uint64](),
		LocalizedAttributes: NullOpt[[]LocalizedRule](), FacetSearch: NullOpt[bool](), PrefixSearch: NullOpt[string](),
		ForeignKeys: NullOpt[json.RawMessage](), Chat: NullOpt[ChatPatch](),
	}
}

// Apply changes the settings. On an error, which is the task's, they are unchanged. Nothing is shared with p later
// than its slices and maps, which must not be changed afterwards.
func (s *Settings) Apply(p *SettingsPatch) *Error {
	n, def := *s, DefaultSettings()
	p.DisplayedAttributes.Apply(&n.DisplayedAttributes, def.DisplayedAttributes)
	p.SearchableAttributes.Apply(&n.SearchableAttributes, def.SearchableAttributes)
	n.DisplayedAttributes = wildcard(n.DisplayedAttributes)
	n.SearchableAttributes = firstOfEach(wildcard(n.SearchableAttributes))
	p.FilterableAttributes.Apply(&n.FilterableAttributes, def.FilterableAttributes)
	p.SortableAttributes.Apply(&n.SortableAttributes, def.SortableAttributes)
	p.RankingRules.Apply(&n.RankingRules, def.RankingRules)
	p.StopWords.Apply(&n.StopWords, def.StopWords)
	p.NonSeparatorTokens.Apply(&n.NonSeparatorTokens, def.NonSeparatorTokens)
	p.SeparatorTokens.Apply(&n.SeparatorTokens, def.SeparatorTokens)
	p.Dictionary.Apply(&n.Dictionary, def.Dictionary)
	p.Synonyms.Apply(&n.Synonyms, def.Synonyms)
	applyPointer(p.DistinctAttribute, &n.DistinctAttribute)
	p.ProximityPrecision.Apply(&n.ProximityPrecision, def.ProximityPrecision)
	if err := n.TypoTolerance.apply(p.TypoTolerance); err != nil {
		return err
	}
	n.Faceting.apply(p.Faceting, def.Faceting)
	if page, ok := p.Pagination.Get(); ok {
		page.MaxTotalHits.Apply(&n.Pagination.MaxTotalHits, DefaultMaxTotalHits)
	} else if p.Pagination.IsNull() {
		n.Pagination = def.Pagination
	}
	embedders, err := applyEmbedders(n.Embedders, p.Embedders)
	if err != nil {
		return err
	}
	n.Embedders = embedders
	applyPointer(p.SearchCutoffMs, &n.SearchCutoffMs)
	p.LocalizedAttributes.Apply(&n.LocalizedAttributes, nil)
	p.FacetSearch.Apply(&n.FacetSearch, true)
	p.PrefixSearch.Apply(&n.PrefixSearch, def.PrefixSearch)
	n.Chat = n.Chat.apply(p.Chat)
	*s = n
	return nil
}

// Clone returns a copy that shares nothing that Apply changes in place.
func (s *Settings) Clone() *Settings {
	n := *s
	n.Faceting.SortFacetValuesBy = maps.Clone(s.Faceting.SortFacetValuesBy)
	n.Embedders = maps.Clone(s.Embedders)
	return &n
}

func wildcard(list []string) []string {
	if slices.Contains(list, "*") {
		return []string{"*"}
	}
	return list
}

// firstOfEach drops what was there already.
func firstOfEach(list []string) []string {
	out := make([]string, 0, len(list))
	for _, name := range list {
		if !slices.Contains(out, name) {
			out = append(out, name)
		}
	}
	return out
}

func applyPointer[T any](o Opt[T], dst **T) {
	if v, ok := o.Get(); ok {
		*dst = &v
	} else if o.IsNull() {
		*dst = nil
	}
}

func (t *TypoTolerance) apply(o Opt[TypoPatch]) *Error {
	def := defaultTypoTolerance()
	if o.IsNull() {
		*t = def
	}
	p, ok := o.Get()
	if !ok {
		return nil
	}
	p.Enabled.Apply(&t.Enabled, def.Enabled)
	p.DisableOnWords.Apply(&t.DisableOnWords, def.DisableOnWords)
	p.DisableOnAttributes.Apply(&t.DisableOnAttributes, def.DisableOnAttributes)
	p.DisableOnNumbers.Apply(&t.DisableOnNumbers, def.DisableOnNumbers)
	sizes := t.MinWordSizeForTypos
	if p.MinWordSizeForTypos.IsNull() {
		sizes = def.MinWordSizeForTypos
	} else if m, ok := p.MinWordSizeForTypos.Get(); ok {
		m.OneTypo.Apply(&sizes.OneTypo, def.MinWordSizeForTypos.OneTypo)
		m.TwoTypos.Apply(&sizes.TwoTypos, def.MinWordSizeForTypos.TwoTypos)
	}
	if sizes.OneTypo > sizes.TwoTypos {
		return NewError("invalid_settings_typo_tolerance", wordSizesText(sizes.OneTypo, sizes.TwoTypos))
	}
	t.MinWordSizeForTypos = sizes
	return nil
}

func (f *Faceting) apply(o Opt[FacetingPatch], def Faceting) {
	if o.IsNull() {
		*f = def
	}
	p, ok := o.Get()
	if !ok {
		return
	}
	p.MaxValuesPerFacet.Apply(&f.MaxValuesPerFacet, def.MaxValuesPerFacet)
	if by, ok := p.SortFacetValuesBy.Get(); ok {
		merged := maps.Clone(f.SortFacetValuesBy)
		maps.Copy(merged, by)
		f.SortFacetValuesBy = merged
	} else if p.SortFacetValuesBy.IsNull() {
		f.SortFacetValuesBy = def.SortFacetValuesBy
	}
}
