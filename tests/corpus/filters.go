package corpus

import (
	"fmt"
	"strconv"
	"strings"
)

// value is a value of a field, as text.
func (g *generator) value(field string) string {
	list := g.set.values[field]
	if len(list) == 0 {
		return g.word()
	}
	switch v := pick(g, list).(type) {
	case string:
		return v
	default:
		return text(v)
	}
}

// number is a number near those of a field.
func (g *generator) number(field string) string {
	v, err := strconv.ParseFloat(g.value(field), 64)
	if err != nil {
		v = float64(g.IntN(100))
	}
	switch g.IntN(4) {
	case 0:
		v++
	case 1:
		v -= 0.5
	}
	return strconv.FormatFloat(v, 'f', -1, 64)
}

// quoted writes a value for a filter, in one of the ways there are.
func (g *generator) quoted(v string) string {
	plain := v != "" && strings.IndexFunc(v, func(r rune) bool {
		return r != '_' && r != '-' && r != '.' && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
	}) < 0
	switch n := g.IntN(3); {
	case plain && n == 0:
		return v
	case n == 1 && !strings.Contains(v, `\`):
		return `'` + strings.ReplaceAll(v, `'`, `\'`) + `'`
	}
	return `"` + strings.ReplaceAll(strings.ReplaceAll(v, `\`, `\\`), `"`, `\"`) + `"`
}

// condition is one condition of a filter.
func (g *generator) condition() string {
	facet, number := pick(g, g.set.Facets), pick(g, g.set.Numbers)
	any := facet
	if g.chance(2) {
		any = number
	}
	switch g.IntN(14) {
	case 0, 1:
		return facet + pick(g, []string{" = ", "=", " != "}) + g.quoted(g.changedCase(g.value(facet)))
	case 2:
		return number + pick(g, []string{" = ", " != "}) + g.number(number)
	case 3, 4:
		return number + pick(g, []string{" > ", " >= ", " < ", " <= ", ">", "<="}) + g.number(number)
	case 5:
		return fmt.Sprintf("%s %s TO %s", number, g.number(number), g.number(number))
	case 6, 7:
		list := make([]string, g.IntN(4))
		for i := range list {
			list[i] = g.quoted(g.value(facet))
		}
		return fmt.Sprintf("%s %s [%s]", facet, pick(g, []string{"IN", "NOT IN"}), strings.Join(list, ", "))
	case 8:
		return any + pick(g, []string{" EXISTS", " NOT EXISTS"})
	case 9:
		return any + pick(g, []string{" IS NULL", " IS NOT NULL"})
	case 10:
		return any + pick(g, []string{" IS EMPTY", " IS NOT EMPTY"})
	case 11:
		return facet + pick(g, []string{" STARTS WITH ", " NOT STARTS WITH "}) + g.quoted(g.changedCase(g.cut(g.value(facet))))
	case 12:
		return "NOT " + number + " > " + g.number(number)
	}
	return facet + pick(g, []string{" > ", " <= "}) + g.quoted(g.value(facet))
}

func (g *generator) changedCase(v string) string {
	switch g.IntN(4) {
	case 0:
		return strings.ToUpper(v)
	case 1:
		return strings.ToLower(v)
	}
	return v
}

func (g *generator) expression(depth int) string {
	if depth == 0 || g.chance(3) {
		return g.condition()
	}
	a, b := g.expression(depth-1), g.expression(depth-1)
	switch g.IntN(5) {
	case 0:
		return a + " AND " + b
	case 1:
		return a + " OR " + b
	case 2:
		return "(" + a + ") AND NOT (" + b + ")"
	case 3:
		return a + " AND (" + b + " OR " + g.condition() + ")"
	}
	return a + " OR " + b + " AND " + g.condition()
}

// filter is a filter as text or in lists.
func (g *generator) filter(depth int) any {
	if g.chance(4) {
		return []any{g.expression(depth), []any{g.condition(), g.condition()}}
	}
	if g.chance(6) {
		return []any{g.condition()}
	}
	return g.expression(depth)
}

func filtered(g *generator) Question {
	q := pick(g, []string{"", "", g.frequent(), g.query()})
	return g.search(members{"q", q, "filter", g.filter(2)}, g.page(), members{"attributesToRetrieve", append(g.few(), g.set.Numbers...)})
}

func contains(g *generator) Question {
	field := pick(g, g.set.Facets)
	r := []rune(g.value(field))
	part := string(r[len(r)/3 : max(len(r)/3, len(r)-1)])
	return g.search(members{"filter", field + pick(g, []string{" CONTAINS ", " NOT CONTAINS "}) + g.quoted(g.changedCase(part))},
		g.page(), members{"attributesToRetrieve", g.few()})
}

// point is the place of a document, or one near it.
func (g *generator) point() (lat, lng float64) {
	for range 20 {
		geo, ok := g.doc()["_geo"].(map[string]any)
		if !ok {
			continue
		}
		a, okA := geo["lat"].(float64)
		b, okB := geo["lng"].(float64)
		if okA && okB {
			return a + float64(g.IntN(3)), b - float64(g.IntN(3))
		}
	}
	return 48.85, 2.35
}

func (g *generator) area() string {
	lat, lng := g.point()
	d := float64(1+g.IntN(60)) / 4
	switch g.IntN(4) {
	case 0:
		return fmt.Sprintf("_geoBoundingBox([%.4f, %.4f], [%.4f, %.4f])", min(90, lat+d), min(180, lng+d), max(-90, lat-d), max(-180, lng-d))
	case 1:
		return fmt.Sprintf("_geoPolygon([%.3f, %.3f], [%.3f, %.3f], [%.3f, %.3f])", max(-90, lat-d), lng, min(90, lat+d), max(-180, lng-d), min(90, lat+d/2), min(180, lng+d))
	}
	return fmt.Sprintf("_geoRadius(%.4f, %.4f, %d)", lat, lng, pick(g, []int{1, 1000, 50000, 300000, 2000000, 15000000}))
}

func geoFilter(g *generator) Question {
	f := g.area()
	switch g.IntN(5) {
	case 0:
		f = "NOT " + f
	case 1:
		f += " AND " + g.condition()
	case 2:
		f = g.condition() + " OR " + f
	}
	return g.search(members{"q", pick(g, []string{"", g.frequent()}), "filter", f}, g.page(), members{"attributesToRetrieve", g.few()})
}
