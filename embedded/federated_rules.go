package embedded

import (
	"fmt"
	"strings"

	"github.com/miroir-search/miroir/api"
	"github.com/miroir-search/miroir/embedded/engine"
)

// rankOrder is what orders the hits of one federated query: its ranking rules without those that have no effect. Hits of
// several queries are merged by them, so the rules must be of the same kinds.
type rankOrder struct {
	query int
	uid   string
	rules []rankPart
	notes []string // why rules were added or left out
}

// rankPart is one entry of what hits are compared by. Neighbouring rules of relevancy are one.
type rankPart struct {
	kind  rankKind
	place string // where it stands in the request and the settings
	names []string
	field string // of an entry of sort; empty for points
}

type rankKind uint8

const (
	byRelevancy rankKind = iota
	byAscending
	byDescending
	byNearest
	byFarthest
)

var rankKindNames = [...]string{"relevancy", "ascending sort", "descending sort", "ascending geo sort", "descending geo sort"}

func (p *rankPart) String() string {
	text := p.place + ": " + rankKindNames[p.kind] + " rule(s) "
	switch {
	case len(p.names) > 0:
		return text + strings.Join(p.names, ", ")
	case p.field != "":
		return text + "on field `" + p.field + "`"
	default:
		return text + "default"
	}
}

// rankSource is where a rule was written.
type rankSource struct{ name, place string }

// rankReader goes through the ranking rules of an index for one query.
type rankReader struct {
	order    *rankOrder
	search   rankSearch
	sort     []string // nil when none was sent
	used     map[string]rankSource
	fields   map[string]rankSource
	count    int    // rules that were kept
	words    string // "", "prepended" or "listed"
	vector   string // the place of the rule that vectors stand for
	relevant int    // the first of the last run of relevancy rules
}

// rankSearch is what the rules of relevancy mean in a query.
type rankSearch uint8

const (
	rankPlaceholder rankSearch = iota
	rankKeywords
	rankAllWords // keywords under matchingStrategy all
	rankVectors
)

// rankOrderOf reads what orders the hits of a query.
func rankOrderOf(i int, uid string, rules, sort []string, search rankSearch) *rankOrder {
	r := &rankReader{order: &rankOrder{query: i, uid: uid}, search: search, sort: sort,
		used: make(map[string]rankSource), fields: make(map[string]rankSource)}
	for at, name := range rules {
		if !r.read(at, name) {
			break
		}
	}
	return r.order
}

func (r *rankReader) note(format string, args ...any) {
	// a missing blank before this one note is the real server's
	indent := "    "
	if strings.HasSuffix(format, "is empty") {
		indent = "   "
	}
	r.order.notes = append(r.order.notes, fmt.Sprintf("%s%d. ", indent, len(r.order.notes)+1)+fmt.Sprintf(format, args...)+"\n")
}

// read takes one rule; false ends the list.
func (r *rankReader) read(at int, name string) bool {
	source := rankSource{name, fmt.Sprintf("#%d in ranking rules", at)}
	field, asc := strings.CutSuffix(name, ":asc")
	desc := false
	if !asc {
		field, desc = strings.CutSuffix(name, ":desc")
	}
	switch {
	case asc || desc:
		if r.first(r.fields, field, source) {
			r.keep(rankPart{kind: direction(asc), place: r.rulesPlace(), names: []string{name}})
			r.count++
		}
	case name == "sort":
		r.readSort(at, source)
	case r.search == rankPlaceholder:
		r.note("Removed relevancy rule `%s` at position %s because the query is a placeholder search (`q`: \"\")", name, source.place)
	case r.search == rankVectors:
		return r.readVector(source)
	default:
		r.readRelevancy(source)
	}
	return true
}

// first tells whether a rule has not been read before, and notes it.
func (r *rankReader) first(seen map[string]rankSource, key string, source rankSource) bool {
	earlier, there := seen[key]
	if there {
		r.note("Removed duplicate rule `%s` at position %s as it already appears at position %s", earlier.name, source.place, earlier.place)
		return false
	}
	seen[key] = source
	return true
}

func direction(asc bool) rankKind {
	if asc {
		return byAscending
	}
	return byDescending
}

func (r *rankReader) readSort(at int, source rankSource) {
	if earlier, there := r.used["sort"]; there {
		r.note("Removed duplicate rule `%s` at position %s as it already appears at position %s", earlier.name, source.place, earlier.place)
		return
	}
	if r.sort == nil {
		r.note("Removed rule `sort` at position %s because `query.sort` is empty", source.place)
		return
	}
	r.used["sort"] = source
	kept := 0
	for i, text := range r.sort {
		field, asc := strings.CutSuffix(text, ":asc")
		field = strings.TrimSuffix(field, ":desc")
		kind, key, name := direction(asc), field, text
		if strings.HasPrefix(field, "_geoPoint(") {
			kind, key, name, field = byNearest, "_geoPoint", "_geo(..):asc", ""
			if !asc {
				kind, name = byFarthest, "_geo(..):desc"
			}
		}
		where := rankSource{name, fmt.Sprintf("#%d in `query.sort` (as `sort` is #%d in ranking rules)", i, at)}
		if !r.first(r.fields, key, where) {
			continue
		}
		r.keep(rankPart{kind: kind, field: field,
			place: fmt.Sprintf("`queries[%d].sort[%d]`, `%s.rankingRules[%d]`", r.order.query, kept, r.order.uid, r.count)})
		kept++
	}
	r.count++
}

// readVector takes a rule of relevancy of a vector search: the first stands for the vectors, and nothing that follows a
// sort rule behind it can decide.
func (r *rankReader) readVector(source rankSource) bool {
	sorted := false
	for key := range r.fields {
		sorted = sorted || key != "_geoPoint"
	}
	switch {
	case r.vector == "":
		r.vector = source.place
		r.keepRelevancy(source.name)
	case !sorted:
		r.note("Removed relevancy rule `%s` at position %s because the query is a vector search and `vector` was already inserted at position %s", source.name, source.place, r.vector)
	default:
		r.note("Truncated relevancy rule `%s` at position %s and later rules because the query is a vector search and `vector` was inserted at position %s", source.name, source.place, r.vector)
		return false
	}
	return true
}

func (r *rankReader) readRelevancy(source rankSource) {
	if source.name == "words" {
		switch {
		case r.search == rankAllWords:
			r.note("Removed rule `words` at position %s because `query.matchingWords` is set to `all`", source.place)
			return
		case r.words == "listed":
			r.first(r.used, "words", source)
			return
		case r.words == "prepended":
			r.note("Removed rule `words` at position %s because it was previously prepended", source.place)
		}
		r.words, r.used["words"] = "listed", source
		r.keepRelevancy("words")
		return
	}
	if r.search != rankAllWords && r.words == "" {
		r.note("Prepended rule `words` before first relevancy rule `%s` at position %s", source.name, source.place)
		r.words = "prepended"
		r.keepRelevancy("words")
	}
	if r.first(r.used, source.name, source) {
		r.keepRelevancy(source.name)
	}
}

func (r *rankReader) rulesPlace() string {
	return fmt.Sprintf("`queries[%d]`, `%s.rankingRules[%d]`", r.order.query, r.order.uid, r.count)
}

// keepRelevancy adds a rule of relevancy to those right before it.
func (r *rankReader) keepRelevancy(name string) {
	rules := r.order.rules
	if n := len(rules); n > 0 && rules[n-1].kind == byRelevancy {
		last := &rules[n-1]
		last.names = append(last.names, name)
		last.place = fmt.Sprintf("`queries[%d]`, `%s.rankingRules[%d..=%d]`", r.order.query, r.order.uid, r.relevant, r.count)
	} else {
		r.relevant = r.count
		r.keep(rankPart{kind: byRelevancy, place: r.rulesPlace(), names: []string{name}})
	}
	r.count++
}

func (r *rankReader) keep(p rankPart) { r.order.rules = append(r.order.rules, p) }

// clash is the error of merging hits that two orders cannot be compared by; nil when they can.
func (o *rankOrder) clash(earlier *rankOrder) *api.Error {
	for i := range min(len(o.rules), len(earlier.rules)) {
		a, b := &earlier.rules[i], &o.rules[i]
		if a.kind == b.kind {
			continue
		}
		var text strings.Builder
		fmt.Fprintf(&text, "The results of queries #%d and #%d are incompatible: \n  1. %s\n  2. %s\n  - cannot compare %s\n",
			earlier.query, o.query, a, b, whyNot(a.kind, b.kind))
		for _, order := range []*rankOrder{earlier, o} {
			if len(order.notes) > 0 {
				fmt.Fprintf(&text, "  - note: The ranking rules of query #%d were modified during canonicalization:\n%s",
					order.query, strings.Join(order.notes, ""))
			}
		}
		return api.NewError("invalid_multi_search_query_ranking_rules", text.String())
	}
	return nil
}

func whyNot(a, b rankKind) string {
	if a > b {
		a, b = b, a
	}
	switch {
	case a == byRelevancy && b >= byNearest:
		return "a relevancy rule with a geosort rule"
	case a == byRelevancy:
		return "a relevancy rule with a sort rule"
	case a == byNearest:
		return "two geosort rules in opposite directions"
	case b >= byNearest:
		return "a sort rule with a geosort rule"
	default:
		return "two sort rules in opposite directions"
	}
}

// checkOrder refuses a query whose hits cannot be merged with those of the queries before it. Errors that a search of the
// query finds first are left to it.
func (fed *federation) checkOrder(i int, query *api.MultiQuery) *api.Error {
	x, err := fed.request.core.lookup(query.IndexUID)
	if err != nil {
		return err
	}
	q := &query.SearchQuery
	eq := &engine.Query{Vector: q.Vector, Sort: q.Sort}
	search := rankPlaceholder
	if q.Q != nil && *q.Q != "" {
		eq.Q, search = *q.Q, rankKeywords
		if q.MatchingStrategy == "all" {
			search = rankAllWords
		}
	}
	if q.Hybrid != nil {
		eq.Hybrid = &engine.Hybrid{Embedder: q.Hybrid.Embedder, SemanticRatio: q.Hybrid.SemanticRatio}
	}
	vectors, ok := x.engine.OrderedBy(eq)
	if !ok {
		return nil
	}
	if vectors {
		search = rankVectors
	}
	order := rankOrderOf(i, query.IndexUID, x.settings.RankingRules, q.Sort, search)
	if fed.previous != nil {
		if err := order.clash(fed.previous); err != nil {
			return err
		}
		if len(fed.previous.rules) > len(order.rules) {
			return nil
		}
	}
	fed.previous = order
	return nil
}
