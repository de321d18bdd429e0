package corpus

// Variant is settings that a set can be loaded under.
type Variant struct {
	Name       string
	Settings   string   // JSON for PATCH /indexes/{uid}/settings
	Dimensions int      // of the vectors of Embedder; 0 for none
	Single     bool     // no document has two vectors
	Synonyms   []string // words that the settings give synonyms
	StopWords  []string // words that the settings leave out
}

// Experimental is the body for PATCH /experimental-features that the feature
// "contains" needs.
const Experimental = `{"containsFilter":true}`

// Variants are the settings that a set is loaded under.
func (s *Set) Variants() []Variant { return variants[s.Name] }

// Variant is the variant of a name, which must be there.
func (s *Set) Variant(name string) Variant {
	for _, v := range s.Variants() {
		if v.Name == name {
			return v
		}
	}
	panic("BUG: " + s.Name + " has no variant " + name)
}

var variants = map[string][]Variant{
	"films": {
		{Name: "plain", Settings: `{"filterableAttributes":["genres","cast","year"],"sortableAttributes":["year","title"]}`},
		{Name: "tuned", Settings: `{"searchableAttributes":["title","overview","cast"],"displayedAttributes":["id","title","overview","genres","cast","year"],
			"filterableAttributes":["genres","cast","year"],"sortableAttributes":["year","title"],
			"rankingRules":["words","exactness","typo","attribute","sort","proximity","year:desc"],
			"stopWords":["the","a","of","and","in"],
			"synonyms":{"film":["movie","picture"],"movie":["film"],"new york":["nyc","big apple"],"love":["affection","deep romance"],"war":["battle"],"usa":["united states"]},
			"typoTolerance":{"minWordSizeForTypos":{"oneTypo":4,"twoTypos":7},"disableOnWords":["american","directed"],"disableOnAttributes":["cast"]},
			"faceting":{"maxValuesPerFacet":20,"sortFacetValuesBy":{"genres":"count"}},"pagination":{"maxTotalHits":120}}`,
			Synonyms: []string{"film", "movie", "new york", "love", "war", "usa", "nyc"}, StopWords: []string{"the", "a", "of", "and", "in"}},
		{Name: "vectors", Dimensions: 4, Settings: `{"searchableAttributes":["title","cast"],"filterableAttributes":["genres","cast","year"],"sortableAttributes":["year","title"],
			"embedders":{"own":{"source":"userProvided","dimensions":4}}}`},
	},
	"books": {
		{Name: "plain", Settings: `{"filterableAttributes":[{"attributePatterns":["*"],"features":{"facetSearch":true,"filter":{"equality":true,"comparison":true}}}],
			"sortableAttributes":["year","average_rating","original_title","language"]}`},
		{Name: "tuned", Settings: `{"searchableAttributes":["authors","title"],"filterableAttributes":["authors","language","original_title","average_rating","ratings_count","year"],
			"sortableAttributes":["year","average_rating","original_title","language"],"distinctAttribute":"original_title",
			"rankingRules":["sort","words","proximity","typo","wordPosition","exactness","attributeRank","ratings_count:desc"],
			"localizedAttributes":[{"attributePatterns":["title","original_title"],"locales":["eng","fra"]}],
			"separatorTokens":["&sep","#"],"nonSeparatorTokens":["'"],"dictionary":["J. K.","J.R.R.","J. R. R."],
			"typoTolerance":{"disableOnNumbers":true},"synonyms":{"potter":["wizard boy"],"vol":["volume"],"book":["novel","tale"]},
			"faceting":{"sortFacetValuesBy":{"*":"count"}}}`, Synonyms: []string{"potter", "vol", "book", "harry potter"}},
	},
	"cities": {
		{Name: "plain", Settings: `{"filterableAttributes":["_geo","country","country_code","timezone","population"],"sortableAttributes":["_geo","population","name","country"]}`},
		{Name: "tuned", Settings: `{"searchableAttributes":["name","country","alternatenames"],"filterableAttributes":["_geo","country","country_code","timezone","population"],
			"sortableAttributes":["_geo","population","name","country"],"prefixSearch":"disabled","proximityPrecision":"byAttribute",
			"rankingRules":["words","typo","population:desc","proximity","attribute","sort","exactness"],"stopWords":["al","city","de"],
			"synonyms":{"saint":["st","san"],"city":["town"]}}`, Synonyms: []string{"saint", "city"}, StopWords: []string{"al", "city", "de"}},
	},
	"products": {
		{Name: "plain", Settings: `{"filterableAttributes":["brand","categories","price","popularity"],"sortableAttributes":["price","popularity","brand"]}`},
		{Name: "tuned", Settings: `{"searchableAttributes":["name","brand","description"],"filterableAttributes":["brand","categories","price","popularity"],
			"sortableAttributes":["price","popularity","brand"],"rankingRules":["words","typo","proximity","attributeRank","wordPosition","popularity:desc","sort","price:asc","exactness"],
			"proximityPrecision":"byAttribute","stopWords":["with","for","and","your"],
			"synonyms":{"phone":["smartphone","cell phone"],"tv":["television"],"laptop":["notebook","portable computer"],"gb":["gigabyte"]},
			"typoTolerance":{"enabled":false},"faceting":{"maxValuesPerFacet":8},"distinctAttribute":null}`,
			Synonyms: []string{"phone", "tv", "laptop", "gb", "cell phone"}, StopWords: []string{"with", "for", "and", "your"}},
		{Name: "vectors", Dimensions: 8, Settings: `{"filterableAttributes":["brand","categories","price","popularity"],"sortableAttributes":["price","popularity","brand"],
			"embedders":{"own":{"source":"userProvided","dimensions":8}}}`},
	},
	"odd": {
		{Name: "plain", Settings: `{"filterableAttributes":["_geo","mixed","tags","nested","nested.deep","n","flag","a.b","TO"],"sortableAttributes":["_geo","mixed","n","name","nested.deep"]}`},
		{Name: "tuned", Settings: `{"searchableAttributes":["name","nested.deep.text","tags"],"displayedAttributes":["id","name","tags","n","mixed","nested.deep"],
			"filterableAttributes":["_geo","mixed","tags","nested.*","n","flag","a.b","TO"],"sortableAttributes":["_geo","mixed","n","name"],
			"rankingRules":["n:asc","words","typo","proximity","attribute","exactness","mixed:desc"],"distinctAttribute":"flag",
			"separatorTokens":["|","ab"],"nonSeparatorTokens":["@","-"],"stopWords":["und"],"synonyms":{"tree":["arbre","дерево"]}}`,
			Synonyms: []string{"tree"}, StopWords: []string{"und"}},
		{Name: "vectors", Dimensions: 3, Settings: `{"filterableAttributes":["_geo","mixed","tags","n","flag"],"sortableAttributes":["_geo","mixed","n","name","nested.deep"],
			"embedders":{"own":{"source":"userProvided","dimensions":3}}}`},
	},
}
