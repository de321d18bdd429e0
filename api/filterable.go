package api

import (
	"bytes"
	"encoding/json"
)

// FilterableRule is one entry of filterableAttributes: a plain name, or patterns with features.
type FilterableRule struct {
	// Field is the name of a plain entry; it also covers what is nested in that field, and `*` is no wildcard in it.
	Field string
	// Patterns is nil for a plain entry.
	Patterns []string
	// FacetSearch, Equality and Comparison are the features; all true for a plain entry.
	FacetSearch, Equality, Comparison bool
}

// PlainRule is the entry of a bare string.
func PlainRule(field string) FilterableRule {
	return FilterableRule{Field: field, FacetSearch: true, Equality: true, Comparison: true}
}

// Plain tells whether the entry was a bare string.
func (r FilterableRule) Plain() bool { return r.Patterns == nil }

type ruleView struct {
	AttributePatterns []string     `json:"attributePatterns"`
	Features          featuresView `json:"features"`
}

type featuresView struct {
	FacetSearch bool       `json:"facetSearch"`
	Filter      filterView `json:"filter"`
}

type filterView struct {
	Equality   bool `json:"equality"`
	Comparison bool `json:"comparison"`
}

// MarshalJSON prints a string or an object, as it was set, with features spelled out.
func (r FilterableRule) MarshalJSON() ([]byte, error) {
	if r.Plain() {
		return Marshal(r.Field)
	}
	return Marshal(ruleView{r.Patterns, featuresView{r.FacetSearch, filterView{r.Equality, r.Comparison}}})
}

// UnmarshalJSON reads what MarshalJSON prints; features left out have their defaults.
func (r *FilterableRule) UnmarshalJSON(data []byte) error {
	if data = bytes.TrimSpace(data); len(data) > 0 && data[0] == '"' {
		var field string
		if err := json.Unmarshal(data, &field); err != nil {
			return err
		}
		*r = PlainRule(field)
		return nil
	}
	view := ruleView{Features: featuresView{Filter: filterView{Equality: true}}}
	if err := json.Unmarshal(data, &view); err != nil {
		return err
	}
	if view.AttributePatterns == nil {
		view.AttributePatterns = []string{}
	}
	*r = FilterableRule{Patterns: view.AttributePatterns, FacetSearch: view.Features.FacetSearch,
		Equality: view.Features.Filter.Equality, Comparison: view.Features.Filter.Comparison}
	return nil
}

// ReadFilterableRule reads an entry of filterableAttributes.
func ReadFilterableRule(code string, dst *FilterableRule) Into {
	return func(v Value, at At) *Error {
		if v.Kind != Object {
			var field string
			if err := Text(code, &field)(v, at); err != nil {
				return err
			}
			*dst = PlainRule(field)
			return nil
		}
		r := FilterableRule{Equality: true}
		filter := ObjectInto(code, func() []Field {
			return []Field{
				{Name: "equality", Into: Bool(code, &r.Equality)},
				{Name: "comparison", Into: Bool(code, &r.Comparison)},
			}
		})
		features := ObjectInto(code, func() []Field {
			return []Field{{Name: "facetSearch", Into: Bool(code, &r.FacetSearch)}, {Name: "filter", Into: filter}}
		})
		err := DecodeObject(v, at, code, []Field{
			{Name: "attributePatterns", Into: List(Text)(code, &r.Patterns), Required: true},
			{Name: "features", Into: features},
		})
		*dst = r
		return err
	}
}
