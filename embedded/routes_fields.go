package embedded

import (
	"slices"
	"strings"

	"github.com/miroir-search/miroir/api"
)

// fieldView says what an index does with one field.
type fieldView struct {
	Name        string         `json:"name"`
	Displayed   enabled        `json:"displayed"`
	Searchable  enabled        `json:"searchable"`
	Sortable    enabled        `json:"sortable"`
	Distinct    enabled        `json:"distinct"`
	RankingRule rankingRule    `json:"rankingRule"`
	Filterable  filterableView `json:"filterable"`
	Localized   localesView    `json:"localized"`
}

type enabled struct {
	Enabled bool `json:"enabled"`
}

type rankingRule struct {
	Enabled bool   `json:"enabled"`
	Order   string `json:"order,omitempty"`
}

type filterableView struct {
	Enabled     bool   `json:"enabled"`
	SortBy      string `json:"sortBy"`
	FacetSearch bool   `json:"facetSearch"`
	Equality    bool   `json:"equality"`
	Comparison  bool   `json:"comparison"`
}

type localesView struct {
	Locales []string `json:"locales"`
}

// passes tells whether a filter chooses a field.
func passes(f *api.FieldsFilter, v *fieldView) bool {
	if f.Patterns != nil && !slices.ContainsFunc(f.Patterns, func(p string) bool { return matchesAttribute(p, v.Name) }) {
		return false
	}
	for _, c := range []struct {
		want *bool
		is   bool
	}{{f.Displayed, v.Displayed.Enabled}, {f.Searchable, v.Searchable.Enabled}, {f.Sortable, v.Sortable.Enabled},
		{f.Distinct, v.Distinct.Enabled}, {f.RankingRule, v.RankingRule.Enabled}, {f.Filterable, v.Filterable.Enabled}} {
		if c.want != nil && *c.want != c.is {
			return false
		}
	}
	return true
}

// matchesAttribute tells whether a pattern names a field; without a wildcard it does not cover what is nested in it.
func matchesAttribute(pattern, name string) bool {
	prefix, suffix, wild := strings.Cut(pattern, "*")
	switch {
	case !wild:
		return pattern == name
	case suffix == "":
		return strings.HasPrefix(name, prefix)
	case prefix == "":
		if rest, both := strings.CutSuffix(suffix, "*"); both {
			return strings.Contains(name, rest)
		}
		return strings.HasSuffix(name, suffix)
	default:
		return strings.HasPrefix(name, prefix) && strings.HasSuffix(name, suffix) && len(name) >= len(prefix)+len(suffix)
	}
}

// below tells whether a name is a field or one nested in it.
func below(parent, name string) bool {
	return name == parent || strings.HasPrefix(name, parent+".")
}

func listFields(r *request) (*reply, *api.Error) {
	body, err := r.readJSON()
	if err != nil {
		return nil, err
	}
	q, err := api.DecodeFields(body)
	if err != nil {
		return nil, err
	}
	x, err := r.indexOf()
	if err != nil {
		return nil, err
	}
	views := []fieldView{}
	for _, name := range x.fieldNames() {
		v := x.fieldView(name)
		if q.Filter == nil || passes(q.Filter, &v) {
			views = append(views, v)
		}
	}
	return ok(cut(views, q.Offset, q.Limit))
}

// fieldNames are the fields that the index has seen, in alphabetical order.
func (x *index) fieldNames() []string { return slices.Sorted(slices.Values(x.engine.Fields())) }

func (x *index) fieldView(name string) fieldView {
	s := x.settings
	any := func(list []string) bool {
		return slices.ContainsFunc(list, func(p string) bool { return p == "*" || below(p, name) })
	}
	v := fieldView{Name: name, Displayed: enabled{any(s.DisplayedAttributes)}, Searchable: enabled{any(s.SearchableAttributes)},
		Sortable: enabled{any(s.SortableAttributes)}, Distinct: enabled{s.DistinctAttribute != nil && below(*s.DistinctAttribute, name)},
		Filterable: filterableView{SortBy: "alpha"}, Localized: localesView{[]string{}}}
	if below("_geo", name) || below("_geojson", name) || below("_vectors", name) {
		v.Searchable.Enabled = false // never, whatever the settings say
	}
	for _, rule := range s.RankingRules {
		if i := strings.LastIndexByte(rule, ':'); i >= 0 && below(rule[:i], name) && !v.RankingRule.Enabled {
			v.RankingRule = rankingRule{true, rule[i+1:]}
		}
	}
	for _, rule := range s.FilterableAttributes {
		if rule.Plain() && below(rule.Field, name) {
			v.Filterable = filterableView{Enabled: true, SortBy: "alpha", FacetSearch: true, Equality: true, Comparison: true}
			break
		}
		if !rule.Plain() && slices.ContainsFunc(rule.Patterns, func(p string) bool { return matchesAttribute(p, name) }) {
			v.Filterable = filterableView{rule.FacetSearch || rule.Equality || rule.Comparison, "alpha", rule.FacetSearch, rule.Equality, rule.Comparison}
			break
		}
	}
	v.Filterable.SortBy = s.Faceting.SortFacetValuesBy["*"]
	if by, own := s.Faceting.SortFacetValuesBy[name]; own {
		v.Filterable.SortBy = by
	}
	for _, rule := range s.LocalizedAttributes {
		if slices.ContainsFunc(rule.AttributePatterns, func(p string) bool { return matchesAttribute(p, name) }) {
			v.Localized.Locales = rule.Locales
			break
		}
	}
	return v
}
