package api

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// Setting is one key of the settings and its sub-route.
type Setting struct {
	// Name is the key in settings bodies, Path the last part of /indexes/{uid}/settings/{path}.
	Name, Path string
	// Verb is how the sub-route is written: PUT, or PATCH for settings that merge.
	Verb string
	// Code is the error code of a value that does not fit.
	Code string

	into func(p *SettingsPatch, code string) Into
	get  func(s *Settings) any
}

func setting(name, path, verb, code string, into func(p *SettingsPatch, code string) Into, get func(s *Settings) any) Setting {
	return Setting{Name: name, Path: path, Verb: verb, Code: "invalid_settings_" + code, into: into, get: get}
}

// SettingTable lists all settings in the order of GET /settings, which is also the order of error texts. foreignKeys
// and chat, which belong to experimental features, are in it but not in Settings.
func SettingTable() []Setting { return slices.Clone(settingTable) }

// SettingByPath finds the setting of a sub-route.
func SettingByPath(path string) (Setting, bool) {
	i := slices.IndexFunc(settingTable, func(s Setting) bool { return s.Path == path })
	if i < 0 {
		return Setting{}, false
	}
	return settingTable[i], true
}

// settingTable is filled once and never changed.
var settingTable = []Setting{
	setting("displayedAttributes", "displayed-attributes", "PUT", "displayed_attributes",
		func(p *SettingsPatch, c string) Into { return wildcardInto(c, &p.DisplayedAttributes) },
		func(s *Settings) any { return s.DisplayedAttributes }),
	setting("searchableAttributes", "searchable-attributes", "PUT", "searchable_attributes",
		func(p *SettingsPatch, c string) Into { return wildcardInto(c, &p.SearchableAttributes) },
		func(s *Settings) any { return s.SearchableAttributes }),
	setting("filterableAttributes", "filterable-attributes", "PUT", "filterable_attributes",
		func(p *SettingsPatch, c string) Into {
			return OptOf(c, &p.FilterableAttributes, List(ReadFilterableRule))
		},
		func(s *Settings) any { return s.FilterableAttributes }),
	setting("sortableAttributes", "sortable-attributes", "PUT", "sortable_attributes",
		func(p *SettingsPatch, c string) Into { return OptOf(c, &p.SortableAttributes, Set) },
		func(s *Settings) any { return s.SortableAttributes }),
	setting("foreignKeys", "foreign-keys", "PUT", "foreign_keys",
		func(p *SettingsPatch, c string) Into { return OptOf(c, &p.ForeignKeys, readForeignKeys) },
		func(*Settings) any { return []string{} }),
	setting("rankingRules", "ranking-rules", "PUT", "ranking_rules",
		func(p *SettingsPatch, c string) Into {
			return OptOf(c, &p.RankingRules, List(Checked(Text, badRankingRule)))
		},
		func(s *Settings) any { return s.RankingRules }),
	setting("stopWords", "stop-words", "PUT", "stop_words",
		func(p *SettingsPatch, c string) Into { return OptOf(c, &p.StopWords, Set) },
		func(s *Settings) any { return s.StopWords }),
	setting("nonSeparatorTokens", "non-separator-tokens", "PUT", "non_separator_tokens",
		func(p *SettingsPatch, c string) Into { return OptOf(c, &p.NonSeparatorTokens, Set) },
		func(s *Settings) any { return s.NonSeparatorTokens }),
	setting("separatorTokens", "separator-tokens", "PUT", "separator_tokens",
		func(p *SettingsPatch, c string) Into { return OptOf(c, &p.SeparatorTokens, Set) },
		func(s *Settings) any { return s.SeparatorTokens }),
	setting("dictionary", "dictionary", "PUT", "dictionary",
		func(p *SettingsPatch, c string) Into { return OptOf(c, &p.Dictionary, Set) },
		func(s *Settings) any { return s.Dictionary }),
	setting("synonyms", "synonyms", "PUT", "synonyms",
		func(p *SettingsPatch, c string) Into { return OptOf(c, &p.Synonyms, Map(List(Text))) },
		func(s *Settings) any { return s.Synonyms }),
	setting("distinctAttribute", "distinct-attribute", "PUT", "distinct_attribute",
		func(p *SettingsPatch, c string) Into { return OptOf(c, &p.DistinctAttribute, Text) },
		func(s *Settings) any { return s.DistinctAttribute }),
	setting("proximityPrecision", "proximity-precision", "PUT", "proximity_precision",
		func(p *SettingsPatch, c string) Into {
			return OptOf(c, &p.ProximityPrecision, OneOf("byWord", "byAttribute"))
		},
		func(s *Settings) any { return s.ProximityPrecision }),
	setting("typoTolerance", "typo-tolerance", "PATCH", "typo_tolerance",
		func(p *SettingsPatch, c string) Into { return OptOf(c, &p.TypoTolerance, readTypo) },
		func(s *Settings) any { return s.TypoTolerance }),
	setting("faceting", "faceting", "PATCH", "faceting",
		func(p *SettingsPatch, c string) Into { return OptOf(c, &p.Faceting, readFaceting) },
		func(s *Settings) any { return s.Faceting }),
	setting("pagination", "pagination", "PATCH", "pagination",
		func(p *SettingsPatch, c string) Into { return OptOf(c, &p.Pagination, readPagination) },
		func(s *Settings) any { return s.Pagination }),
	setting("embedders", "embedders", "PATCH", "embedders",
		func(p *SettingsPatch, c string) Into { return OptOf(c, &p.Embedders, Map(optReader(ReadEmbedder))) },
		func(s *Settings) any { return maskedEmbedders(s.Embedders) }),
	setting("searchCutoffMs", "search-cutoff-ms", "PUT", "search_cutoff_ms",
		func(p *SettingsPatch, c string) Into { return OptOf(c, &p.SearchCutoffMs, Uint64) },
		func(s *Settings) any { return s.SearchCutoffMs }),
	setting("localizedAttributes", "localized-attributes", "PUT", "localized_attributes",
		func(p *SettingsPatch, c string) Into { return OptOf(c, &p.LocalizedAttributes, List(readLocalized)) },
		func(s *Settings) any { return s.LocalizedAttributes }),
	setting("facetSearch", "facet-search", "PUT", "facet_search",
		func(p *SettingsPatch, c string) Into { return OptOf(c, &p.FacetSearch, Bool) },
		func(s *Settings) any { return s.FacetSearch }),
	setting("prefixSearch", "prefix-search", "PUT", "prefix_search",
		func(p *SettingsPatch, c string) Into {
			return OptOf(c, &p.PrefixSearch, OneOf("indexingTime", "disabled"))
		},
		func(s *Settings) any { return s.PrefixSearch }),
	setting("chat", "chat", "PATCH", "index_chat",
		func(p *SettingsPatch, c string) Into { return OptOf(c, &p.Chat, readChat) },
		func(s *Settings) any {
			if s.Chat == nil {
				return DefaultChat()
			}
			return s.Chat
		}),
}

// noFeature is on of a server without experimental features.
func noFeature(string) bool { return false }

// DecodeSettings reads the body of PATCH /settings; settings of experimental features are refused.
func DecodeSettings(v Value) (*SettingsPatch, *Error) { return DecodeSettingsWith(v, noFeature) }

// DecodeSettingsWith is DecodeSettings for a server whose features may be on.
func DecodeSettingsWith(v Value, on func(feature string) bool) (*SettingsPatch, *Error) {
	p := &SettingsPatch{}
	fields := make([]Field, 0, len(settingTable))
	for _, s := range settingTable {
		fields = append(fields, Field{Name: s.Name, Into: s.into(p, s.Code)})
	}
	if err := DecodeObject(v, At{}, "bad_request", fields); err != nil {
		return nil, err
	}
	return p, p.check(on)
}

// Decode reads the body of the setting's own sub-route; settings of experimental features are refused.
func (s Setting) Decode(v Value) (*SettingsPatch, *Error) { return s.DecodeWith(v, noFeature) }

// DecodeWith is Decode for a server whose features may be on.
func (s Setting) DecodeWith(v Value, on func(feature string) bool) (*SettingsPatch, *Error) {
	p := &SettingsPatch{}
	if err := s.into(p, s.Code)(v, At{}); err != nil {
		return nil, err
	}
	return p, p.check(on)
}

// Reset is the patch of DELETE on the setting's own sub-route.
func (s Setting) Reset() *SettingsPatch {
	p := &SettingsPatch{}
	// null is accepted by every setting
	_ = s.into(p, s.Code)(Value{Kind: Null}, At{})
	return p
}

// Get returns the value that GET on the sub-route answers with. Secrets are masked.
func (s Setting) Get(all *Settings) any { return s.get(all) }

// check finds what only the whole change can tell.
func (p *SettingsPatch) check(on func(feature string) bool) *Error {
	if err := p.checkFeatures(on); err != nil {
		return err
	}
	rules := p.RankingRules.Value()
	if slices.Contains(rules, "attribute") &&
		(slices.Contains(rules, "attributeRank") || slices.Contains(rules, "wordPosition")) {
		return NewError("invalid_settings_ranking_rules", "Mixed usage of the attribute, attributeRank, and wordPosition "+
			"ranking rules. You must either use the attribute ranking rule alone or the attributeRank and wordPosition "+
			"ranking rules.")
	}
	return checkEmbedders(p.Embedders.Value())
}

// readForeignKeys checks the form of foreign keys and keeps their text.
func readForeignKeys(code string, dst *json.RawMessage) Into {
	read := func(code string, v *Value) Into {
		return func(in Value, at At) *Error {
			var index, field string
			*v = in
			return DecodeObject(in, at, code, []Field{{Name: "foreignIndexUid", Into: Text(code, &index), Required: true},
				{Name: "fieldName", Into: Text(code, &field), Required: true}})
		}
	}
	return func(v Value, at At) *Error {
		var list []Value
		*dst = v.append(nil)
		return List(read)(code, &list)(v, at)
	}
}

func wildcardInto(code string, dst *Opt[[]string]) Into {
	return func(v Value, at At) *Error {
		if v.Kind == Null {
			*dst = Some([]string{"*"})
			return nil
		}
		return OptOf(code, dst, List(Text))(v, at)
	}
}

func optReader[T any](read Reader[T]) Reader[Opt[T]] {
	return func(code string, dst *Opt[T]) Into { return OptOf(code, dst, read) }
}

func readTypo(code string, dst *TypoPatch) Into {
	return ObjectInto(code, func() []Field {
		return []Field{
			{Name: "enabled", Into: OptOf(code, &dst.Enabled, Bool)},
			{Name: "minWordSizeForTypos", Into: OptOf(code, &dst.MinWordSizeForTypos, readWordSizes)},
			{Name: "disableOnWords", Into: OptOf(code, &dst.DisableOnWords, Set)},
			{Name: "disableOnAttributes", Into: OptOf(code, &dst.DisableOnAttributes, Set)},
			{Name: "disableOnNumbers", Into: OptOf(code, &dst.DisableOnNumbers, Bool)},
		}
	})
}

func readWordSizes(code string, dst *MinWordSizesPatch) Into {
	return func(v Value, at At) *Error {
		err := DecodeObject(v, at, code, []Field{
			{Name: "oneTypo", Into: OptOf(code, &dst.OneTypo, Byte)},
			{Name: "twoTypos", Into: OptOf(code, &dst.TwoTypos, Byte)},
		})
		if err != nil {
			return err
		}
		one, okOne := dst.OneTypo.Get()
		two, okTwo := dst.TwoTypos.Get()
		if okOne && okTwo && one > two {
			return Invalid(code, at, wordSizesText(one, two))
		}
		return nil
	}
}

func wordSizesText(one, two uint8) string {
	return fmt.Sprintf("`minWordSizeForTypos` setting is invalid. `oneTypo` and `twoTypos` fields should be between `0` and "+
		"`255`, and `twoTypos` should be greater or equals to `oneTypo` but found `oneTypo: %d` and twoTypos: %d`.", one, two)
}

func readFaceting(code string, dst *FacetingPatch) Into {
	return ObjectInto(code, func() []Field {
		return []Field{
			{Name: "maxValuesPerFacet", Into: OptOf(code, &dst.MaxValuesPerFacet, Count)},
			{Name: "sortFacetValuesBy", Into: OptOf(code, &dst.SortFacetValuesBy, Map(OneOf("alpha", "count")))},
		}
	})
}

func readPagination(code string, dst *PaginationPatch) Into {
	return ObjectInto(code, func() []Field {
		return []Field{{Name: "maxTotalHits", Into: OptOf(code, &dst.MaxTotalHits, PositiveCount)}}
	})
}

func readLocalized(code string, dst *LocalizedRule) Into {
	return ObjectInto(code, func() []Field {
		return []Field{
			{Name: "attributePatterns", Into: List(Text)(code, &dst.AttributePatterns), Required: true},
			{Name: "locales", Into: List(OneOf(Locales()...))(code, &dst.Locales), Required: true},
		}
	})
}

// badRankingRule returns why a text is no ranking rule, or "".
func badRankingRule(rule string) string {
	switch rule {
	case "words", "typo", "proximity", "attribute", "attributeRank", "wordPosition", "sort", "exactness":
		return ""
	}
	i := strings.LastIndexByte(rule, ':')
	if i < 0 || rule[i+1:] != "asc" && rule[i+1:] != "desc" {
		return "`" + rule + "` ranking rule is invalid. Valid ranking rules are words, typo, sort, proximity, attribute, " +
			"exactness and custom ranking rules."
	}
	field := rule[:i]
	reserved := "` is a reserved keyword and thus can't be used as a ranking rule"
	switch name := field; {
	case strings.HasPrefix(name, "_geoPoint") && (name == "_geoPoint" || isGeoPoint(name)):
		return "`_geoPoint" + reserved + ". `_geoPoint` can only be used for sorting at search time"
	case !ReservedField(name):
		return ""
	case strings.HasPrefix(name, "_geoRadius"):
		return "`_geoRadius" + reserved + ". `_geoRadius` can only be used for filtering at search time"
	case strings.HasPrefix(name, "_geoBoundingBox"):
		return "`_geoBoundingBox" + reserved + ". `_geoBoundingBox` can only be used for filtering at search time"
	default:
		return "`" + name + reserved
	}
}

func isGeoPoint(name string) bool {
	return strings.HasPrefix(name, "_geoPoint(") && strings.HasSuffix(name, ")")
}

// ReservedField tells whether a field name cannot be sorted by because Meilisearch keeps it for itself.
func ReservedField(name string) bool {
	switch name {
	case "_geo", "_geojson", "_geoDistance", "_geoPoint", "_geoRadius", "_geoBoundingBox", "_geoPolygon":
		return true
	}
	for _, prefix := range []string{"_geoRadius(", "_geoBoundingBox(", "_geo(", "_geoDistance("} {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}
