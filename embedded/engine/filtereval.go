package engine

import (
	"errors"
	"fmt"
	"math"
	"sort"
	"strings"

	"github.com/RoaringBitmap/roaring/v2"

	"github.com/miroir-search/miroir/embedded/filter"
)

// filterSearch evaluates the filter of a search. A server writes the filter
// anew before it evaluates it, so errors quote that text.
func (c *core) filterSearch(raw any) (*roaring.Bitmap, error) {
	e, err := parseFilter(raw, "invalid_search_filter")
	if err != nil {
		return nil, err
	}
	if e == nil {
		return c.live, nil
	}
	again, err := filter.ParseString(e.String())
	if err != nil {
		return nil, filterError(err, "invalid_search_filter", false)
	}
	return c.evaluate(again, "invalid_search_filter")
}

// filterDocuments evaluates a filter as it was written.
func (c *core) filterDocuments(raw any, code string) (*roaring.Bitmap, error) {
	e, err := parseFilter(raw, code)
	if err != nil {
		return nil, err
	}
	if e == nil {
		return c.live, nil
	}
	return c.evaluate(e, code)
}

func parseFilter(raw any, code string) (*filter.Expr, error) {
	e, err := filter.Parse(raw)
	if err != nil {
		return nil, filterError(err, code, false)
	}
	return e, nil
}

// filterError gives an error of the filter package its code.
func filterError(err error, code string, ofIndex bool) error {
	var known *Error
	if errors.As(err, &known) {
		return err
	}
	return &Error{Code: code, Message: err.Error(), OfIndex: ofIndex}
}

// evaluate finds the documents a filter holds for. The result may be shared
// and must not be changed.
func (c *core) evaluate(e *filter.Expr, code string) (*roaring.Bitmap, error) {
	ev := evaluator{c: c}
	e.Fields(func(t filter.Token) bool {
		if !c.cfg.Filterable(t.Value) {
			ev.err = t.Errorf("%s", c.notFilterable(t.Value))
		}
		return ev.err == nil
	})
	var out *roaring.Bitmap
	if ev.err == nil {
		out = ev.eval(e)
	}
	if ev.err != nil {
		return nil, filterError(ev.err, code, true)
	}
	return out, nil
}

func (c *core) notFilterable(name string) string {
	patterns := c.cfg.filterablePatterns((*FilterableRule).filterable)
	if len(patterns) == 0 {
		return "Attribute `" + name + "` is not filterable. This index does not have configured filterable attributes."
	}
	return "Attribute `" + name + "` is not filterable. Available filterable attribute patterns are: `" + strings.Join(patterns, "`, `") + "`."
}

// evaluator walks a filter tree. It stops at the first error.
type evaluator struct {
	c   *core
	err error
}

func (ev *evaluator) fail(err error) *roaring.Bitmap {
	if ev.err == nil {
		ev.err = err
	}
	return roaring.New()
}

func (ev *evaluator) eval(e *filter.Expr) *roaring.Bitmap {
	if ev.err != nil {
		return roaring.New()
	}
	switch e.Kind {
	case filter.And:
		out := ev.eval(e.Kids[0])
		for _, k := range e.Kids[1:] {
			if out.IsEmpty() { // a server does not look at the rest then
				return out
			}
			out = roaring.And(out, ev.eval(k))
		}
		return out
	case filter.Or:
		out := roaring.New()
		for _, k := range e.Kids {
			out.Or(ev.eval(k))
		}
		return out
	case filter.Not:
		return roaring.AndNot(ev.c.live, ev.eval(e.Kids[0]))
	case filter.In:
		out := roaring.New()
		for _, v := range e.Values {
			out.Or(ev.compare(e.Field, filter.Equal, []filter.Token{v}))
		}
		return out
	case filter.Compare:
		return ev.compare(e.Field, e.Op, e.Values)
	case filter.GeoRadius:
		return ev.radius(e.Values)
	case filter.GeoBox:
		return ev.box(e.Values)
	case filter.GeoPolygon:
		return ev.polygon(e.Values)
	case filter.VectorExists:
		return ev.vectors(e)
	default:
		return ev.fail(e.Field.Errorf("foreign filters are not supported"))
	}
}

func (ev *evaluator) compare(field filter.Token, op filter.Op, values []filter.Token) *roaring.Bitmap {
	if _, ok := ev.c.fields.id(field.Value); !ok {
		return roaring.New()
	}
	r, n := ev.c.cfg.FilterableRuleOf(field.Value)
	if n < 0 {
		return roaring.New()
	}
	switch op {
	case filter.Greater, filter.GreaterOrEqual, filter.Lower, filter.LowerOrEqual, filter.Between:
		if !r.Comparison {
			return ev.fail(operatorError(field.Value, op, &r, n))
		}
	case filter.Equal, filter.NotEqual:
		if !r.Equality {
			return ev.fail(operatorError(field.Value, op, &r, n))
		}
	}
	f, _ := ev.c.facetOf(field.Value)
	if f == nil {
		f = newFacet()
	}
	switch op {
	case filter.Equal:
		return f.equal(values[0].Value)
	case filter.NotEqual:
		return roaring.AndNot(ev.c.live, f.equal(values[0].Value))
	case filter.Null:
		return f.null
	case filter.Empty:
		return f.empty
	case filter.Exists:
		return f.exists
	case filter.Contains:
		want := normalizeFacet(values[0].Value)
		return f.strings(func(norm string) bool { return strings.Contains(norm, want) })
	case filter.StartsWith:
		want := normalizeFacet(values[0].Value)
		if want == "" {
			return f.exists
		}
		return f.strings(func(norm string) bool { return strings.HasPrefix(norm, want) })
	case filter.Between:
		return f.between(bounds{from: &values[0].Value, to: &values[1].Value, fromIn: true, toIn: true}) //nolint:gosec // the parser gives BETWEEN two values
	case filter.Greater, filter.GreaterOrEqual:
		return f.between(bounds{from: &values[0].Value, fromIn: op == filter.GreaterOrEqual})
	default:
		return f.between(bounds{to: &values[0].Value, toIn: op == filter.LowerOrEqual})
	}
}

func operatorError(field string, op filter.Op, r *FilterableRule, n int) error {
	allowed := []string{"OR", "AND", "NOT"}
	if r.Equality {
		allowed = append(allowed, "=", "!=", "IN")
	}
	if r.Comparison {
		allowed = append(allowed, "<", ">", "<=", ">=", "TO")
	}
	allowed = append(allowed, "IS EMPTY", "IS NULL", "EXISTS")
	feature := "comparison"
	if op == filter.Equal || op == filter.NotEqual {
		feature = "equality"
	}
	return &Error{Code: "invalid_search_filter", OfIndex: true, Message: fmt.Sprintf(
		"Filter operator `%s` is not allowed for the attribute `%s`.\n  - Note: allowed operators: %s.\n  - Note: field `%s` matched rule #%d in `filterableAttributes`\n  - Hint: enable %s in rule #%d by modifying the features.filter object\n  - Hint: prepend another rule matching `%s` with appropriate filter features before rule #%d",
		op, field, strings.Join(allowed, ", "), field, n, feature, n, field, n)}
}

// equal are the documents with a value that reads like text.
func (f *facet) equal(text string) *roaring.Bitmap {
	out := roaring.New()
	if id, ok := f.byStr[normalizeFacet(text)]; ok {
		out.Or(f.values[id].docs)
	}
	if n, err := filter.ParseFloat(text); err == nil {
		if id, ok := f.byNum[math.Float64bits(n)]; ok {
			out.Or(f.values[id].docs)
		}
	}
	return out
}

func (f *facet) strings(keep func(norm string) bool) *roaring.Bitmap {
	out := roaring.New()
	for _, id := range f.byStr {
		if v := f.values[id]; keep(v.norm) {
			out.Or(v.docs)
		}
	}
	return out
}

// bounds is a range of values, given as text; nil for an open end.
type bounds struct {
	from, to     *string
	fromIn, toIn bool
}

// between are the documents with a value in a range. Numbers compare as
// numbers when the bounds are numbers, strings as strings.
func (f *facet) between(b bounds) *roaring.Bitmap {
	o := f.order()
	out := roaring.New()
	low, high, numeric := math.Inf(-1), math.Inf(1), true
	lowText, highText := "", ""
	if b.from != nil {
		n, err := filter.ParseFloat(*b.from)
		low, numeric, lowText = n, numeric && err == nil, normalizeFacet(*b.from)
	}
	if b.to != nil {
		n, err := filter.ParseFloat(*b.to)
		high, numeric, highText = n, numeric && err == nil, normalizeFacet(*b.to)
	}
	if numeric {
		f.collect(out, o.nums,
			func(v *facetValue) bool { return v.num > low || v.num == low && (b.fromIn || b.from == nil) },
			func(v *facetValue) bool { return v.num > high || v.num == high && !b.toIn && b.to != nil })
	}
	f.collect(out, o.strs,
		func(v *facetValue) bool {
			return b.from == nil || v.norm > lowText || v.norm == lowText && b.fromIn
		},
		func(v *facetValue) bool {
			return b.to != nil && (v.norm > highText || v.norm == highText && !b.toIn)
		})
	return out
}

// collect adds the documents of the ordered values from the first that is in
// to the first that is past.
func (f *facet) collect(out *roaring.Bitmap, ids []uint32, in, past func(*facetValue) bool) {
	from := sort.Search(len(ids), func(i int) bool { return in(f.values[ids[i]]) })
	to := sort.Search(len(ids), func(i int) bool { return past(f.values[ids[i]]) })
	var list []*roaring.Bitmap
	for i := from; i < to; i++ {
		list = append(list, f.values[ids[i]].docs)
	}
	if len(list) > 0 {
		out.Or(roaring.FastOr(list...))
	}
}

func (ev *evaluator) vectors(e *filter.Expr) *roaring.Bitmap {
	out := roaring.New()
	if len(e.Values) > 0 {
		name := e.Values[0]
		if _, ok := ev.c.cfg.Embedders[name.Value]; !ok {
			return ev.fail(name.Errorf("%s", ev.noEmbedder(name.Value)))
		}
	}
	for name, docs := range ev.c.embedded {
		if len(e.Values) == 0 || e.Values[0].Value == name {
			out.Or(docs)
		}
	}
	switch e.Suffix {
	case "", "userProvided":
		return out
	default: // nothing is generated here
		return roaring.New()
	}
}

func (ev *evaluator) noEmbedder(name string) string {
	names := sortedKeys(ev.c.cfg.Embedders)
	message := fmt.Sprintf("The embedder `%s` does not exist. ", name)
	if len(names) == 0 {
		return message + "This index does not have any configured embedders."
	}
	return message + "Available embedders are: `" + strings.Join(names, "`, `") + "`."
}
