package engine

import (
	"slices"
	"sort"
	"strings"
)

// matchKind tells how a field name relates to a pattern.
type matchKind uint8

const (
	noMatch     matchKind = iota
	parentMatch           // the pattern may match something nested in the field
	fullMatch
)

// nestedIn reports whether field is base or a member of it ("a.b" of "a").
func nestedIn(field, base string) bool {
	return strings.HasPrefix(field, base) && (len(field) == len(base) || field[len(base)] == '.')
}

// matchPlain is how a bare name matches: itself and all that is nested in it.
func matchPlain(name, field string) matchKind {
	switch {
	case nestedIn(field, name):
		return fullMatch
	case nestedIn(name, field):
		return parentMatch
	}
	return noMatch
}

// matchPattern is how an attribute pattern matches; "*" stands for anything at
// its beginning or end.
func matchPattern(pattern, field string) matchKind {
	head, tail := strings.HasPrefix(pattern, "*"), strings.HasSuffix(pattern, "*")
	matched := false
	switch {
	case pattern == "*":
		matched = true
	case head && tail:
		matched = strings.Contains(field, pattern[1:len(pattern)-1])
	case head:
		matched = strings.HasSuffix(field, pattern[1:])
	case tail:
		matched = strings.HasPrefix(field, pattern[:len(pattern)-1])
	default:
		matched = pattern == field
	}
	switch {
	case matched:
		return fullMatch
	case nestedIn(pattern, field):
		return parentMatch
	}
	return noMatch
}

func (r *FilterableRule) match(field string) matchKind {
	best := noMatch
	for _, p := range r.Patterns {
		m := matchPattern(p, field)
		if r.Plain {
			m = matchPlain(p, field)
		}
		best = max(best, m)
	}
	return best
}

func (r *FilterableRule) filterable() bool { return r.Equality || r.Comparison }

// FilterableRuleOf returns the rule that decides for a field and its number
// from 0; -1 when no rule matches.
func (s *Settings) FilterableRuleOf(field string) (FilterableRule, int) {
	for i := range s.FilterableAttributes {
		if s.FilterableAttributes[i].match(field) == fullMatch {
			return s.FilterableAttributes[i], i
		}
	}
	return FilterableRule{}, -1
}

// Filterable reports whether a field may be used in filters.
func (s *Settings) Filterable(field string) bool {
	r, n := s.FilterableRuleOf(field)
	return n >= 0 && r.filterable()
}

// Sortable reports whether a field may be used in a sort.
func (s *Settings) Sortable(field string) bool {
	return matchAny(s.SortableAttributes, field) == fullMatch
}

// Searchable reports whether the words of a field are searched.
func (s *Settings) Searchable(field string) bool {
	m, _ := s.searchMatch(field)
	return m == fullMatch
}

// Displayed reports whether a field is shown in search results, either itself
// or as a part of what is named.
func (s *Settings) Displayed(field string) bool {
	return s.displaysAll() || matchAny(s.DisplayedAttributes, field) == fullMatch
}

// names reports whether displayedAttributes names exactly this field.
func (s *Settings) names(field string) bool {
	return s.displaysAll() || slices.Contains(s.DisplayedAttributes, field)
}

func (s *Settings) displaysAll() bool {
	return s.DisplayedAttributes == nil || slices.Contains(s.DisplayedAttributes, "*")
}

func (s *Settings) searchesAll() bool {
	return s.SearchableAttributes == nil || slices.Contains(s.SearchableAttributes, "*")
}

func matchAny(names []string, field string) matchKind {
	best := noMatch
	for _, n := range names {
		best = max(best, matchPlain(n, field))
	}
	return best
}

// searchMatch tells whether a field is searched and the rank of its attribute,
// 0 best. Without an explicit list all attributes rank alike.
func (s *Settings) searchMatch(field string) (matchKind, int) {
	if reservedField(field) {
		return noMatch, 0
	}
	if s.searchesAll() {
		return fullMatch, 0
	}
	best := noMatch
	for i, n := range s.SearchableAttributes {
		switch matchPlain(n, field) {
		case fullMatch:
			return fullMatch, i
		case parentMatch:
			best = parentMatch
		}
	}
	return best, 0
}

func reservedField(name string) bool {
	return nestedIn(name, "_geo") || nestedIn(name, "_geojson") || nestedIn(name, "_vectors")
}

// facetMatch tells whether the values of a field are kept for filters, facets,
// sorting or distinct.
func (s *Settings) facetMatch(field string) matchKind {
	best, decided := noMatch, false
	for i := range s.FilterableAttributes {
		r := &s.FilterableAttributes[i]
		m := r.match(field)
		if m == fullMatch && !decided {
			decided = true // the first matching rule decides alone
			if r.filterable() || r.FacetSearch {
				return fullMatch
			}
		}
		if m == parentMatch {
			best = parentMatch
		}
	}
	if s.DistinctAttribute != "" {
		if s.DistinctAttribute == field {
			return fullMatch
		}
		if nestedIn(s.DistinctAttribute, field) {
			best = parentMatch
		}
	}
	best = max(best, matchAny(s.SortableAttributes, field))
	for _, r := range s.RankingRules {
		if name, _, ok := customRule(r); ok {
			best = max(best, matchPlain(name, field))
		}
	}
	return best
}

// customRule splits a ranking rule such as "price:asc".
func customRule(rule string) (field string, asc, ok bool) {
	if f, found := strings.CutSuffix(rule, ":asc"); found {
		return f, true, true
	}
	if f, found := strings.CutSuffix(rule, ":desc"); found {
		return f, false, true
	}
	return "", false, false
}

func (s *Settings) geoEnabled() bool {
	return s.geoFilterable() || slices.Contains(s.SortableAttributes, "_geo")
}

func (s *Settings) geoFilterable() bool {
	for i := range s.FilterableAttributes {
		if r := &s.FilterableAttributes[i]; r.Plain && r.Patterns[0] == "_geo" {
			return true
		}
	}
	return false
}

// maxWeight is the rank of the last searchable attribute.
func (s *Settings) maxWeight() int {
	if s.searchesAll() || len(s.SearchableAttributes) == 0 {
		return 0
	}
	return len(s.SearchableAttributes) - 1
}

// filterablePatterns lists the patterns of the rules that keep passes, sorted,
// each once.
func (s *Settings) filterablePatterns(keep func(*FilterableRule) bool) []string {
	set := make(map[string]struct{})
	for i := range s.FilterableAttributes {
		if r := &s.FilterableAttributes[i]; keep(r) {
			for _, p := range r.Patterns {
				set[p] = struct{}{}
			}
		}
	}
	return sortedKeys(set)
}

func sortedKeys[V any](m map[string]V) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	sort.Strings(out)
	return out
}

// config is what one version of the settings means; read-only.
type config struct {
	Settings
	tok *tokenizer
	// exactWords are the normalised words without typo tolerance.
	exactWords map[string]struct{}
	// synonyms maps the words of a phrase, joined by NUL, to the word lists
	// that stand for it.
	synonyms map[string][][]string
}

func newConfig(s Settings) *config {
	c := &config{Settings: s, tok: newTokenizer(&s)}
	c.exactWords = make(map[string]struct{}, len(s.Typo.DisableOnWords))
	for _, w := range s.Typo.DisableOnWords {
		c.exactWords[c.tok.normalize(w)] = struct{}{}
	}
	c.synonyms = make(map[string][][]string, len(s.Synonyms))
	for _, from := range sortedKeys(s.Synonyms) {
		key := strings.Join(c.tok.words(from), "\x00")
		if key == "" {
			continue
		}
		for _, to := range s.Synonyms[from] {
			if words := c.tok.words(to); len(words) > 0 {
				c.synonyms[key] = append(c.synonyms[key], words)
			}
		}
	}
	return c
}

// exactWord tells whether typos are disabled on a word.
func (c *core) exactWord(word string) bool {
	_, ok := c.cfg.exactWords[word]
	return ok
}

// typosAllowed is how many typos a word of a query may have.
func (c *config) typosAllowed(word string) int {
	t := &c.Typo
	if !t.Enabled {
		return 0
	}
	n := 0
	for range word {
		n++
	}
	if n < t.OneTypo {
		return 0
	}
	if _, ok := c.exactWords[word]; ok {
		return 0
	}
	if t.DisableOnNumbers && isNumberWord(word) {
		return 0
	}
	if n < t.TwoTypos {
		return 1
	}
	return 2
}

func isNumberWord(w string) bool {
	for i := 0; i < len(w); i++ {
		if w[i] < '0' || w[i] > '9' {
			return false
		}
	}
	return w != ""
}

// reindexes says whether documents have to be processed again to go from one
// version of the settings to another.
func (c *config) reindexes(next *Settings) bool {
	same := slices.Equal(c.SearchableAttributes, next.SearchableAttributes) &&
		(c.SearchableAttributes == nil) == (next.SearchableAttributes == nil) &&
		slices.Equal(c.StopWords, next.StopWords) &&
		slices.Equal(c.NonSeparatorTokens, next.NonSeparatorTokens) &&
		slices.Equal(c.SeparatorTokens, next.SeparatorTokens) &&
		slices.Equal(c.Dictionary, next.Dictionary) &&
		slices.Equal(c.SortableAttributes, next.SortableAttributes) &&
		slices.Equal(c.Typo.DisableOnAttributes, next.Typo.DisableOnAttributes) &&
		c.DistinctAttribute == next.DistinctAttribute &&
		slices.Equal(c.RankingRules, next.RankingRules) &&
		slices.EqualFunc(c.FilterableAttributes, next.FilterableAttributes, func(a, b FilterableRule) bool {
			return a.Plain == b.Plain && a.FacetSearch == b.FacetSearch && a.Equality == b.Equality &&
				a.Comparison == b.Comparison && slices.Equal(a.Patterns, b.Patterns)
		}) &&
		len(c.Embedders) == len(next.Embedders)
	if !same {
		return true
	}
	for name, e := range c.Embedders {
		if o, ok := next.Embedders[name]; !ok || o.Dimensions != e.Dimensions || o.BinaryQuantized != e.BinaryQuantized {
			return true
		}
	}
	return false
}

// attr is what the settings say about one field.
type attr struct {
	name   string
	search matchKind
	weight int
	exact  bool // no typos
	facet  matchKind
}

func (c *config) describe(name string) attr {
	a := attr{name: name, exact: slices.Contains(c.Typo.DisableOnAttributes, name)}
	a.search, a.weight = c.searchMatch(name)
	if name == "_geo.lat" || name == "_geo.lng" {
		a.facet = fullMatch
	} else if !reservedField(name) {
		a.facet = c.facetMatch(name)
	}
	return a
}

// fieldTable numbers the fields in the order they were first seen. A table that
// readers may hold is never changed: add returns another one.
type fieldTable struct {
	attrs []attr
	ids   map[string]uint16
}

func (t *fieldTable) id(name string) (uint16, bool) {
	id, ok := t.ids[name]
	return id, ok
}
