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
// Nobody here can be mistaken for a real person: every MBI has the letter S in
// position 2 and every NPI starts with 9, both impossible in production, and
// patient and claim ids are negative, as in the synthetic data of CMS. There
// are no CPT codes (they belong to the AMA) and no texts of the NUBC. The
// codes used are free: ICD-10, HCPCS level II, MS-DRG, CMS place of service.
package synthetic
