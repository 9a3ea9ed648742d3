// Package synthetic is a Medicare that never was: a population of enrollees and
// a source of their claims which answers as the Beneficiary FHIR Data server
// (BFD) would, for the sandbox, for tests and for measuring.
//
// Everything is made, nothing is stored. A person is a pure function of the
// seed and the patient id, and a claim is a pure function of the seed, the
// patient id and the claim's place in the person's life, so any person can be
// read at any time, by any number of readers, in any order, and always comes
// out byte for byte the same. The clock decides nothing but what the source
// says of itself (how far it is complete).
//
// A person has an enrollment, an age and a sex, a home, and a frailty, from
// which follow when he dies, how much care he needs and which chronic conditions
// set in with the years. The conditions are a table: how common each is by age
// and sex, its diagnosis codes, whom one sees for it and where, what is billed,
// what equipment comes home, and what one is admitted for. At the beginning of a
// read the course of the life is laid out: stays in hospitals with the doctors'
// visits there, readmissions, nursing facilities and home health care after
// them, monthly dialysis and rentals, yearly visits and shots, and the last weeks
// under a hospice. Month by month the other visits come on top, each for one of
// the person's reasons in that season, with one of his few doctors or hospitals,
// which are of his state. The tests hold the outcome to bands around public
// figures; where a comment names a publication, a number is of the order of what
// it says, not copied from it.
//
// Some people are in two contracts, one after the other; some were merged from
// two ids and keep the other's MBI; a few have no current MBI. Some claims are
// there to be awkward: Part D events among the others, records without a time of
// update, claims in two and three versions, entries that hold only a DRG, names
// beyond ASCII, three hundred lines, stays of a hundred days and over New Year,
// visits on the very days on which an enrollment or the data begins or ends, and
// updates at the very instant of a batch.
//
// What it is not: rates, prices and codes are plausible, not calibrated, a code
// is used in all years once it is in the table, a facility's number may be a real
// one's, and because CPT is left out a claim has fewer lines than it would have.
//
// Nobody here can be mistaken for a real person: every MBI has the letter S in
// position 2 and every NPI starts with 9, both impossible in production, and
// patient and claim ids are negative, as in the synthetic data of CMS. There
// are no CPT codes (they belong to the AMA) and no texts of the NUBC. The
// codes used are free: ICD-10, HCPCS level II, MS-DRG, CMS place of service.
package synthetic
