package docset

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

var (
	headings = strings.Split("Permanent way|Signals|Rolling stock|Water and coal|Buildings|Staff|Events of the year|Bridges|Workshop|Visitors|Accounts|Planting along the line", "|")
	roles    = strings.Split("fitter|stationmaster|signaller|platelayer|boilersmith|storekeeper|painter|carpenter|guard|treasurer", "|")
	things   = strings.Split("turntable|water column|level crossing|footbridge|goods shed|signal wire|ballast siding|coal stage|weighbridge|lamp room|buffer stop|parcels office|inspection pit|loading gauge|hand crane|telegraph pole", "|")
	stuffs   = strings.Split("oak|cast iron|larch|granite|brass|slate|riveted steel|yellow brick|copper|canvas", "|")
	months   = strings.Split("January|February|March|April|May|June|July|August|September|October|November|December", "|")

	// sentences have places for words and numbers.
	sentences = strings.Split(strings.TrimSpace(`
The {thing} at {place} was rebuilt in {stuff} in {month}, and the {role} wrote down {n} measurements of it.
Volunteers from the village came on {n} evenings to clear the ground around the {thing}.
A {role} who had served {n} years at {place} retired in {month} and was given a lamp of {stuff}.
Frost in {month} split the {stuff} of the {thing}, so that it had to be held by ropes for {n} days.
The insurance asks for a photograph of the {thing} every {month}; the last one shows cracks in the {stuff}.
Nobody remembers why the {thing} stands {n} metres further south than on the plan of the founders.
The old drawings call it a {thing}, though the {role} insists that it never had that purpose.
Of the {n} wagons that were promised only two came, both without couplings and with floors of {stuff}.
Before the first train of {month} the {role} walks the line from {place} to the {thing} and signs the book.
Paint for the {thing} has to be mixed by hand, since the shade of {stuff} is no longer sold.
In heavy rain the drain beside the {thing} carries more water than the river gauge below {place} can show.
The committee decided by {n} votes to keep the {thing} and to sell what is left of the {stuff}.
A school class counted {n} kinds of moss on the {stuff} of the {thing} and left a poster in the waiting room.
The {role} recommends to turn the {stuff} bearings of the {thing} by a quarter each {month}.
Because the road bridge was closed, {n} visitors reached {place} on foot and had to wait beside the {thing}.
Letters of the former {role} mention a second {thing}, which was carried away by a flood in {month}.
The {thing} can be worked by one person if the {role} has greased its {stuff} parts well.
During the gala in {month} the queue at the {thing} was {n} metres long and very patient.
Owls nest in the {thing}, so that nothing is hammered there between {month} and the end of the summer.
The lease of the field behind the {thing} costs {n} crowns a year and ends with the century.
When the {stuff} was cut, the {role} found a newspaper in it that praised the opening of {place}.
The electric cable to the {thing} lies {n} centimetres deep and is marked by posts of {stuff}.
A film company paid for new {stuff} at the {thing} and left behind a chimney made of plaster.
It takes the {role} {n} minutes to walk around the {thing} with the oil can, longer in {month}.
The fund for the {thing} has reached {n} crowns; the {role} thinks that half of that would do.
Rabbits have dug below the {thing} again, and the {stuff} has sunk by {n} millimetres.
On the map of {place} the {thing} bears the number {n}, which is also painted on its side.
What was thought to be {stuff} turned out to be painted board when the {role} leaned against it.
`), "\n")

	starts, ends = strings.Fields("Bar Cal Den El Far Gor Hes Ith Jor Kel Lam Mor Nor Ost Pel Quen Ros Sel Tor Ul Var Wen Yar Zel"), strings.Fields("brook combe dale field gate ham holt keld low mere nest pool rigg stead thorpe wick")
)

// placeName gives the name of a place; names repeat after some hundreds.
func placeName(i int) string {
	middle := strings.Fields("a e o en in or un ar")[i/len(starts)/len(ends)%8]
	if i < len(starts)*len(ends) {
		middle = ""
	}
	return starts[i*7%len(starts)] + middle + ends[(i*5+i/len(starts))%len(ends)]
}

// writer writes one article and remembers what can be asked about it.
type writer struct {
	r      *rand.Rand
	place  string
	number int
	asked  []Question
}

func (w *writer) pick(from []string) string { return from[w.r.IntN(len(from))] }

func (w *writer) fill(template string) string {
	return strings.NewReplacer("{place}", w.place, "{thing}", w.pick(things), "{role}", w.pick(roles), "{stuff}", w.pick(stuffs),
		"{month}", w.pick(months), "{n}", fmt.Sprint(3+w.r.IntN(190))).Replace(template)
}

func (w *writer) sentence() string { return w.fill(w.pick(sentences)) }

func (w *writer) paragraph() string {
	var all []string
	for range 4 + w.r.IntN(4) {
		all = append(all, w.sentence())
	}
	return strings.Join(all, " ")
}

func (w *writer) kind() string {
	return []string{"yearbook", "letters", "guide", "survey", "report", "stores", "register", "records"}[w.number%8]
}

// article makes about 11 KB of text: prose with facts, or a long table.
func (w *writer) article(ext string) *article {
	a := &article{title: fmt.Sprintf("%s railway: %s", w.place, w.kind())}
	rows := 12
	switch ext {
	case "csv", "xlsx", "json":
		rows = 58
	}
	a.table = w.stock(rows)
	if rows > 12 {
		return a
	}
	for i, at := range w.r.Perm(len(headings))[:7] {
		s := section{heading: headings[at]}
		for n := 0; n < 1050; {
			p := w.paragraph()
			s.paragraphs = append(s.paragraphs, p)
			n += len(p)
		}
		if fact := w.fact(i); fact != "" {
			middle := len(s.paragraphs) / 2
			s.paragraphs[middle] += " " + fact
		}
		a.sections = append(a.sections, s)
	}
	return a
}

// fact is a sentence that only this article has, and what is asked about it in
// other words.
func (w *writer) fact(section int) string {
	n := 11 + w.r.IntN(80)
	switch section {
	case 1:
		w.ask("templated paraphrase", "How frequently does somebody lubricate the engine turntable of "+w.place+"?", fmt.Sprintf("greased on every %dth working day", n))
		return fmt.Sprintf("At %s the great wheel on which locomotives are turned is greased on every %dth working day.", w.place, n)
	case 3:
		w.ask("templated paraphrase", "How many people may sit in the tea room at "+w.place+"?", fmt.Sprintf("seats for %d guests", n))
		return fmt.Sprintf("The café of %s has seats for %d guests and closes at five.", w.place, n)
	case 5:
		code := fmt.Sprintf("KR-%d%03d", 4+w.number%6, w.number*7%1000)
		w.ask("templated identifier", "What has to be done about "+code+"?", code)
		return fmt.Sprintf("Notice %s says: after %d wagons the brake of the incline is to cool.", code, n)
	}
	return ""
}

func (w *writer) ask(kind, question, answer string) {
	w.asked = append(w.asked, Question{Kind: kind, Question: question, Answer: answer})
}

// stock is a table of parts.
func (w *writer) stock(rows int) [][]string {
	all := [][]string{{"part", "name", "place", "pieces", "price", "remark"}}
	for i := range rows {
		part := fmt.Sprintf("P%03d-%04d", w.number, 1000+i*13)
		name := w.pick(stuffs) + " " + w.pick(things) + fmt.Sprintf(" key no %d", i+1)
		all = append(all, []string{part, name, w.place, fmt.Sprint(w.r.IntN(90)), fmt.Sprint(5 + w.r.IntN(900)), w.fill("seen by the {role} in {month}")})
	}
	row := all[1+w.r.IntN(rows)]
	w.ask("templated table", fmt.Sprintf("What does the %s of %s cost?", row[1], w.place), row[0])
	return all
}
