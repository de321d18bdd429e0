package tests

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// questions are about 300 searches made of the films' own words: every
// parameter of a search on its own and some together.
func questions(list []film, own map[string]int) []string {
	var out []string
	add := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	quote := strconv.Quote
	const ids = `"attributesToRetrieve":["id","title"]`
	step := max(1, len(list)/40)
	for i := 0; i < len(list); i += step {
		f := list[i]
		title := plain(f.Title)
		first, _, _ := strings.Cut(title, " ")
		add(`{"q":%s}`, quote(title))
		add(`{"q":%s,"matchingStrategy":"all",%s}`, quote(first), ids)
		if len(first) > 4 {
			add(`{"q":%s,%s}`, quote(first[:3]), ids)
			add(`{"q":%s,%s,"showRankingScore":true}`, quote(first[:2]+"x"+first[3:]), ids)
		}
		if g := f.Genres; len(g) > 0 {
			add(`{"q":%s,"filter":["genres = %s"],"facets":["genres","year"],%s}`, quote(first), quotedInside(g[0]), ids)
		}
		add(`{"q":"","filter":"year = %d","sort":["title:asc"],"limit":7,%s}`, f.Year, ids)
	}
	for i, w := range slices.Sorted(maps.Keys(own)) {
		if i%8 != 0 {
			continue
		}
		add(`{"q":%s}`, quote(w))
		add(`{"q":%s,"attributesToSearchOn":["overview"],"showMatchesPosition":true,%s}`, quote(w+" film"), ids)
	}
	for _, q := range []string{"", "love", "the war", "new york", "police officer murder", "american comedy film directed by", "1999", "star wars", "king", "\\\"silent film\\\"", "love -story", "é", "!!", "an a the"} {
		for _, more := range []string{"", `,"limit":0`, `,"offset":15,"limit":10`, `,"page":2,"hitsPerPage":9`, `,"offset":990,"limit":50,` + ids,
			`,"sort":["year:desc"],` + ids, `,"facets":["genres"],"limit":1`, `,"matchingStrategy":"frequency",` + ids,
			`,"attributesToHighlight":["*"],"attributesToCrop":["overview"],"cropLength":8,` + ids, `,"showRankingScoreDetails":true,` + ids,
			`,"showRankingScore":true,"rankingScoreThreshold":0.6,` + ids, `,"distinct":"year",` + ids, `,"distinct":"year"`} {
			add(`{"q":"%s"%s}`, q, more)
		}
	}
	return append(out, `{"q":"a","filter":"nope = 1"}`, `{"q":"a","filter":"year >"}`, `{"sort":["nope:asc"]}`, `{"facets":["nope"]}`, `{"limit":-1}`,
		`{"lol":1}`, `{"attributesToSearchOn":["nope"]}`, `{"distinct":"nope"}`, `{"matchingStrategy":"some"}`, `{"q":1}`, `[]`, `{`, `{"sort":["year"]}`)
}

// plain leaves only letters, digits and spaces, so that a title means words.
func plain(s string) string {
	return strings.Map(func(r rune) rune {
		if strings.ContainsRune("\"\\-\x7f", r) || r < ' ' {
			return ' '
		}
		return r
	}, s)
}

func quotedInside(s string) string { return `'` + strings.ReplaceAll(s, `'`, `\\'`) + `'` }
