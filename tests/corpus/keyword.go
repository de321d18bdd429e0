package corpus

import (
	"strings"
)

func placeholder(g *generator) Question {
	switch g.IntN(3) {
	case 0:
		return g.search(g.page())
	case 1:
		return g.search(members{"q", pick(g, []string{"", " ", "  \t", "!", "...", "\"\""})}, g.page(), members{"attributesToRetrieve", g.few()})
	}
	return g.search(members{"q", ""}, g.page(), members{"showRankingScore", true, "showRankingScoreDetails", true, "attributesToRetrieve", g.few()})
}

func keyword(g *generator) Question {
	q := g.query()
	switch g.IntN(4) {
	case 0:
		q += " "
	case 1:
		q = strings.ToUpper(q)
	}
	if g.chance(4) {
		return g.search(members{"q", q})
	}
	return g.search(members{"q", q}, g.page(), members{"attributesToRetrieve", g.few(), "showRankingScore", true})
}

func typo(g *generator) Question {
	var q string
	switch g.IntN(4) {
	case 0:
		q = g.damaged(g.longWord(9), 2)
	case 1:
		q = g.damaged(g.longWord(5), 1)
	case 2:
		q = g.damaged(g.longWord(5), 1) + " " + g.word()
	default:
		run := g.run(3)
		at := g.IntN(len(run))
		run[at] = g.damaged(run[at], 1)
		q = strings.Join(run, " ")
	}
	if g.chance(2) {
		q += " "
	}
	return g.search(members{"q", q}, g.page(), members{"attributesToRetrieve", g.few(), "showRankingScore", true})
}

func prefix(g *generator) Question {
	q := g.cut(g.longWord(4))
	switch g.IntN(4) {
	case 0:
		q = g.frequent() + " " + q
	case 1:
		run := g.run(2)
		run[len(run)-1] = g.cut(run[len(run)-1])
		q = strings.Join(run, " ")
	case 2:
		q = g.damaged(q, 1)
	}
	return g.search(members{"q", q}, g.page(), members{"attributesToRetrieve", g.few(), "showRankingScore", true})
}

// ngram joins words that are apart, and parts words that are one.
func ngram(g *generator) Question {
	var q string
	switch g.IntN(4) {
	case 0:
		q = strings.Join(g.run(2), "")
	case 1:
		r := []rune(g.longWord(6))
		at := 1 + g.IntN(max(1, len(r)-1))
		at = min(at, len(r))
		q = string(r[:at]) + " " + string(r[at:])
	case 2:
		run := g.run(3)
		q = run[0] + strings.Join(run[1:], " ")
	default:
		r := []rune(g.longWord(7))
		a, b := len(r)/3, 2*len(r)/3
		q = string(r[:a]) + " " + string(r[a:b]) + " " + string(r[b:])
	}
	if g.chance(2) {
		q += " "
	}
	return g.search(members{"q", q}, g.page(), members{"attributesToRetrieve", g.few(), "showRankingScore", true})
}

func synonyms(g *generator) Question {
	q := pick(g, g.variant.Synonyms)
	switch g.IntN(3) {
	case 0:
		q = g.word() + " " + q
	case 1:
		q += " " + g.word()
	}
	return g.search(members{"q", q}, g.page(), members{"attributesToRetrieve", g.few(), "showRankingScoreDetails", g.chance(2)})
}

func stopWords(g *generator) Question {
	q := pick(g, g.variant.StopWords)
	switch g.IntN(4) {
	case 0:
		q += " " + g.word()
	case 1:
		q = g.word() + " " + q
	case 2:
		q = g.word() + " " + q + " " + g.word()
	}
	if g.chance(3) {
		q = `"` + q + `"`
	}
	return g.search(members{"q", q}, g.page(), members{"attributesToRetrieve", g.few(), "showRankingScore", true})
}

func phrase(g *generator) Question {
	words := g.run(1 + g.IntN(3))
	q := `"` + strings.Join(words, " ") + `"`
	switch g.IntN(6) {
	case 0:
		q += " " + g.word()
	case 1:
		q = g.word() + " " + q
	case 2:
		q += ` "` + strings.Join(g.run(2), " ") + `"`
	case 3:
		q = strings.TrimSuffix(q, `"`)
	case 4:
		q = strings.ReplaceAll(q, " ", ", ")
	}
	return g.search(members{"q", q}, g.page(), members{"attributesToRetrieve", g.few(), "showRankingScore", true})
}

func negative(g *generator) Question {
	q := g.frequent() + " -" + g.word()
	switch g.IntN(5) {
	case 0:
		q = "-" + g.frequent()
	case 1:
		q = g.word() + ` -"` + strings.Join(g.run(2), " ") + `"`
	case 2:
		q = "-" + g.word() + " " + g.frequent() + " -" + g.word()
	case 3:
		q = strings.Join(g.run(2), "-") + " - " + g.word()
	}
	return g.search(members{"q", q}, g.page(), members{"attributesToRetrieve", g.few(), "showRankingScore", true})
}

func matching(g *generator) Question {
	words := g.run(2 + g.IntN(3))
	words = append(words, g.word())
	return g.search(members{"q", strings.Join(words, " "), "matchingStrategy", pick(g, []string{"last", "all"})},
		g.page(), members{"attributesToRetrieve", g.few(), "showRankingScore", true})
}

func frequency(g *generator) Question {
	return g.search(members{"q", strings.Join(append(g.run(2+g.IntN(2)), g.word()), " "), "matchingStrategy", "frequency"},
		g.page(), members{"attributesToRetrieve", g.few()})
}

func scores(g *generator) Question {
	q := g.query()
	switch g.IntN(3) {
	case 0:
		q = g.damaged(q, 1)
	case 1:
		q = strings.Join(g.run(3+g.IntN(8)), " ")
	}
	var sort any
	if g.chance(4) {
		sort = g.sorting()
	}
	return g.search(members{"q", q}, g.page(), members{"sort", sort, "attributesToRetrieve", g.few(),
		"showRankingScore", g.chance(2), "showRankingScoreDetails", true})
}

func threshold(g *generator) Question {
	return g.search(members{"q", g.query(), "rankingScoreThreshold", float64(g.IntN(101)) / 100}, g.page(),
		members{"attributesToRetrieve", g.few(), "showRankingScore", true})
}

func searchOn(g *generator) Question {
	on := []string{pick(g, g.set.Text)}
	switch g.IntN(5) {
	case 0:
		on = append(on, pick(g, g.set.Text))
	case 1:
		on = []string{"*"}
	case 2:
		on = []string{}
	}
	return g.search(members{"q", g.query(), "attributesToSearchOn", on}, g.page(),
		members{"attributesToRetrieve", g.few(), "showRankingScore", true, "showRankingScoreDetails", g.chance(3)})
}

func locales(g *generator) Question {
	return g.search(members{"q", g.query(), "locales", pick(g, [][]string{{"eng"}, {"fra"}, {"en", "fr"}, {"deu"}, {"rus"}, {}})}, g.page(),
		members{"attributesToRetrieve", g.few()})
}

func distinct(g *generator) Question {
	var filter any
	if g.chance(3) {
		filter = g.filter(1)
	}
	var sort any
	if g.chance(3) {
		sort = g.sorting()
	}
	q := g.frequent()
	if g.chance(3) {
		q = ""
	}
	return g.search(members{"q", q, "distinct", pick(g, append(g.set.Facets, g.set.Numbers...)), "filter", filter, "sort", sort}, g.page(),
		members{"attributesToRetrieve", append(g.few(), g.set.Facets...)})
}

func paging(g *generator) Question {
	q := pick(g, []string{"", g.frequent(), g.frequent(), g.query()})
	pages := pick(g, []members{
		{"limit", 0}, {"limit", 0, "offset", 3}, {"page", 0}, {"page", 0, "hitsPerPage", 5}, {"hitsPerPage", 0}, {"page", 1}, {"page", 2},
		{"page", 2 + g.IntN(6), "hitsPerPage", 1 + g.IntN(25)}, {"offset", g.IntN(200)}, {"offset", g.IntN(200), "limit", g.IntN(60)},
		{"offset", 990, "limit", 50}, {"offset", 1000, "limit", 5}, {"offset", 100000, "limit", 5}, {"limit", 2000}, {"page", 51, "hitsPerPage", 20},
		{"page", 3, "hitsPerPage", 4, "limit", 2, "offset", 1}, {"page", 100000, "hitsPerPage", 5}, {"hitsPerPage", 1100},
	})
	what := []string{g.set.Key}
	return g.search(members{"q", q}, pages, members{"attributesToRetrieve", what})
}
