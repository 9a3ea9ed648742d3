package synthetic

import (
	"fmt"
	"iter"
	"time"

	"cms.gov/ab2d/domain"
)

// Coverage yields the Coverage resources of an enrollee of a contract, each as
// one JSON object without a newline, in the forms of BFD: Parts A and B, which
// his claims refer to, then Part D for each calendar year in which he was
// enrolled, with rfrnc_yr and the contract of each month in ptdcntrct01 to
// ptdcntrct12, 0 where he was in none.
//
// BFD serves one Part D resource a person, for the latest year. That year has
// BFD's id here, part-d-<id>; earlier years have the year put behind it, and
// those in a contract that is not the person's own its number too, so that
// nobody who loads them loses one to another.
func Coverage(v domain.FHIRVersion, e Enrollee, n domain.ContractNumber) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		for _, part := range []struct{ letter, name string }{{"a", "Part A"}, {"b", "Part B"}} {
			id := fmt.Sprintf("part-%s-%s", part.letter, e.Patient)
			if !yield([]byte(coverage(v, e, id, part.name))) {
				return
			}
		}
		years := enrolledYears(e.Months)
		for i, year := range years {
			if !yield([]byte(partD(v, e, n, year, i == len(years)-1))) {
				return
			}
		}
	}
}

// enrolledYears are the calendar years that a set has months of, in order.
func enrolledYears(months domain.MonthSet) (years []int) {
	for _, m := range months.Months() {
		if y := m.First().Year(); len(years) == 0 || years[len(years)-1] != y {
			years = append(years, y)
		}
	}
	return years
}

func partD(v domain.FHIRVersion, e Enrollee, n domain.ContractNumber, year int, latest bool) string {
	id := "part-d-" + string(e.Patient)
	switch {
	case contractDigits(n) != homeOf(e.Patient):
		id = fmt.Sprintf("%s-%s-%d", id, n, year)
	case !latest:
		id = fmt.Sprintf("%s-%d", id, year)
	}
	var extensions []string
	for m := time.January; m <= time.December; m++ {
		name, code, display := fmt.Sprintf("ptdcntrct%02d", int(m)), string(n), ""
		if !e.Months.Has(domain.NewMonth(year, m)) {
			code, display = "0", "Not Medicare enrolled for the month"
		}
		extensions = append(extensions, extCode(name, code, display))
	}
	extensions = append(extensions, object("url", text(variable("rfrnc_yr")), "valueDate", text(fmt.Sprint(year))))
	return coverage(v, e, id, "Part D", extensions...)
}

func coverage(v domain.FHIRVersion, e Enrollee, id, plan string, extensions ...string) string {
	var members []string
	if len(extensions) > 0 {
		members = append(members, "extension", array(extensions...))
	}
	members = append(members, "status", text("active"))
	beneficiary := reference("Patient/" + string(e.Patient))
	if v == domain.STU3 {
		members = append(members, "type", concept(object("system", text("Medicare"), "code", text(plan))), "beneficiary", beneficiary,
			"grouping", object("subGroup", text("Medicare"), "subPlan", text(plan)))
		return resource(v, "Coverage", id, "", members...)
	}
	class := func(kind, display, value string) string {
		return object("type", concept(coding(hl7Codes+"coverage-class", kind, display)), "value", text(value))
	}
	members = append(members, "type", concept(object("system", text(hl7Codes+"v3-ActCode"), "code", text("SUBSIDIZ"))))
	if e.Identifiers.Current != "" {
		members = append(members, "subscriberId", text(string(e.Identifiers.Current)))
	}
	members = append(members, "beneficiary", beneficiary, "relationship", concept(coding(hl7Codes+"subscriber-relationship", "self", "Self")),
		"payor", array(object("identifier", object("value", text("Centers for Medicare and Medicaid Services")))),
		"class", array(class("group", "Group", "Medicare"), class("plan", "Plan", plan)))
	return resource(v, "Coverage", id, "C4BB-Coverage", members...)
}
