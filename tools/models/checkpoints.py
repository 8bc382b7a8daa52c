"""The hand-kept half of the registry: which checkpoints have a row, what they are called here, their licence, and what
should be known before relying on them. Everything else comes from open_clip's own tables (make_registry.py).

A row: NAME: (open_clip's model, its tag). Names are open_clip's in lower case, with the tag cut to the data it names;
makers that have one checkpoint a size go without. Licences are those of the model cards on the hub.
"""

SEE_CARD = "unknown: see the model card"

PEOPLE = "Weights learned from pictures and captions of the open web: they carry its biases; measure before you decide over people with it."
ENGLISH = "English texts."

# family: (title, licence, prompt set, notes)
FAMILIES = {
    "openai": ("OpenAI CLIP", "MIT", "openai", [ENGLISH, PEOPLE]),
    "laion": ("LAION OpenCLIP", "MIT", "openai", [ENGLISH, PEOPLE]),
    "datacomp": ("DataComp", "MIT", "openai", [ENGLISH, PEOPLE]),
    "dfn": ("Apple DFN", "apple-sample-code-license", "openai",
            [ENGLISH, "The repository was last seen with a pickle only: then `tandem pull` says how to convert it.", PEOPLE]),
    "metaclip": ("MetaCLIP", "CC-BY-NC-4.0", "openai", [ENGLISH, "Not for commercial use.", PEOPLE]),
    "metaclip2": ("MetaCLIP 2 worldwide", "CC-BY-NC-4.0", "openai", ["Texts in 300 languages.", "Not for commercial use.", PEOPLE]),
    "siglip": ("SigLIP", "Apache-2.0", "simple", [ENGLISH, PEOPLE]),
    "siglip2": ("SigLIP 2", "Apache-2.0", "simple", ["Texts in many languages.", PEOPLE]),
    "eva": ("EVA-CLIP", "MIT", "openai", [ENGLISH, PEOPLE]),
    "mobileclip": ("Apple MobileCLIP", "apple-ascl", "openai", [ENGLISH, PEOPLE]),
    "mobileclip2": ("Apple MobileCLIP 2", "apple-amlr", "openai", [ENGLISH, "For research.", PEOPLE]),
    "pe": ("Perception Encoder", "Apache-2.0", "openai", [ENGLISH, PEOPLE]),
    "clipa": ("CLIPA", "Apache-2.0", "openai", [ENGLISH, PEOPLE]),
    "coca": ("CoCa", "MIT", "openai", ["It also writes captions.", ENGLISH, PEOPLE]),
    "text": ("LAION, other text towers", "MIT", "simple", [PEOPLE]),
}

# Rows whose licence is not their family's, or is not known for sure.
LICENCES = {name: SEE_CARD for name in (
    "vit-b-32-laion400m", "vit-b-16-laion400m", "vit-b-16-plus-240-laion400m", "vit-l-14-laion400m", "vit-b-32-laion2b-e16")}

NOTES = {
    "vit-l-14-laion2b": "Its pictures are normalised with mean and deviation 0.5, unlike its neighbours'.",
    "vit-b-16-plus-240-laion400m": "open_clip's table gives the epoch-31 repository for this tag as well.",
    "roberta-vit-b-32-laion2b": "English texts. Quick GELU by open_clip's model config, though its tag does not say so.",
    "xlm-roberta-base-vit-b-32-laion5b": "Texts in about 100 languages.",
    "xlm-roberta-large-vit-h-14-laion5b": "Texts in about 100 languages. The picture tower is that of vit-h-14-laion2b, frozen.",
}

CHECKPOINTS = {
    "openai": {
        "rn50-openai": ("RN50", "openai"), "rn101-openai": ("RN101", "openai"), "rn50x4-openai": ("RN50x4", "openai"),
        "rn50x16-openai": ("RN50x16", "openai"), "rn50x64-openai": ("RN50x64", "openai"),
        "vit-b-32-openai": ("ViT-B-32", "openai"), "vit-b-16-openai": ("ViT-B-16", "openai"),
        "vit-l-14-openai": ("ViT-L-14", "openai"), "vit-l-14-336-openai": ("ViT-L-14-336", "openai"),
    },
    "laion": {
        "rn50-yfcc15m": ("RN50", "yfcc15m"), "rn50-cc12m": ("RN50", "cc12m"), "rn101-yfcc15m": ("RN101", "yfcc15m"),
        "vit-b-32-laion400m": ("ViT-B-32", "laion400m_e32"), "vit-b-32-laion2b-e16": ("ViT-B-32", "laion2b_e16"),
        "vit-b-32-laion2b": ("ViT-B-32", "laion2b_s34b_b79k"),
        "vit-b-16-laion400m": ("ViT-B-16", "laion400m_e32"), "vit-b-16-laion2b": ("ViT-B-16", "laion2b_s34b_b88k"),
        "vit-b-16-plus-240-laion400m": ("ViT-B-16-plus-240", "laion400m_e32"),
        "vit-l-14-laion400m": ("ViT-L-14", "laion400m_e32"), "vit-l-14-laion2b": ("ViT-L-14", "laion2b_s32b_b82k"),
        "vit-h-14-laion2b": ("ViT-H-14", "laion2b_s32b_b79k"),
        "vit-g-14-laion2b-s12b": ("ViT-g-14", "laion2b_s12b_b42k"), "vit-g-14-laion2b": ("ViT-g-14", "laion2b_s34b_b88k"),
        "vit-bigg-14-laion2b": ("ViT-bigG-14", "laion2b_s39b_b160k"),
    },
    "datacomp": {
        "vit-b-32-datacomp": ("ViT-B-32", "datacomp_xl_s13b_b90k"), "vit-b-32-256-datacomp": ("ViT-B-32-256", "datacomp_s34b_b86k"),
        "vit-b-16-datacomp": ("ViT-B-16", "datacomp_xl_s13b_b90k"), "vit-b-16-datacomp-l": ("ViT-B-16", "datacomp_l_s1b_b8k"),
        "vit-l-14-datacomp": ("ViT-L-14", "datacomp_xl_s13b_b90k"),
        "vit-b-32-datacomp-m": ("ViT-B-32", "datacomp_m_s128m_b4k"), "vit-b-32-datacomp-s": ("ViT-B-32", "datacomp_s_s13m_b4k"),
        "vit-l-14-commonpool-clip": ("ViT-L-14", "commonpool_xl_clip_s13b_b90k"),
        "vit-l-14-commonpool-laion": ("ViT-L-14", "commonpool_xl_laion_s13b_b90k"),
        "vit-l-14-commonpool": ("ViT-L-14", "commonpool_xl_s13b_b90k"),
    },
    "dfn": {
        "vit-b-16-dfn2b": ("ViT-B-16", "dfn2b"), "vit-l-14-dfn2b": ("ViT-L-14", "dfn2b"), "vit-l-14-dfn2b-s39b": ("ViT-L-14", "dfn2b_s39b"),
        "vit-h-14-dfn5b": ("ViT-H-14", "dfn5b"), "vit-h-14-378-dfn5b": ("ViT-H-14-378", "dfn5b"),
    },
    "metaclip": {
        "vit-b-32-metaclip-400m": ("ViT-B-32", "metaclip_400m"), "vit-b-32-metaclip": ("ViT-B-32", "metaclip_fullcc"),
        "vit-b-16-metaclip-400m": ("ViT-B-16", "metaclip_400m"), "vit-b-16-metaclip": ("ViT-B-16", "metaclip_fullcc"),
        "vit-l-14-metaclip-400m": ("ViT-L-14", "metaclip_400m"), "vit-l-14-metaclip": ("ViT-L-14", "metaclip_fullcc"),
        "vit-h-14-metaclip": ("ViT-H-14", "metaclip_fullcc"), "vit-h-14-metaclip-altogether": ("ViT-H-14", "metaclip_altogether"),
        "vit-bigg-14-metaclip": ("ViT-bigG-14", "metaclip_fullcc"),
    },
    "metaclip2": {
        "vit-h-14-worldwide": ("ViT-H-14-worldwide", "metaclip2_worldwide"),
        "vit-h-14-worldwide-378": ("ViT-H-14-worldwide-378", "metaclip2_worldwide"),
        "vit-bigg-14-worldwide": ("ViT-bigG-14-worldwide", "metaclip2_worldwide"),
        "vit-bigg-14-worldwide-378": ("ViT-bigG-14-worldwide-378", "metaclip2_worldwide"),
    },
    "siglip": {name.lower(): (name, "webli") for name in (
        "ViT-B-16-SigLIP", "ViT-B-16-SigLIP-256", "ViT-B-16-SigLIP-i18n-256", "ViT-B-16-SigLIP-384", "ViT-B-16-SigLIP-512",
        "ViT-L-16-SigLIP-256", "ViT-L-16-SigLIP-384", "ViT-SO400M-14-SigLIP", "ViT-SO400M-16-SigLIP-i18n-256",
        "ViT-SO400M-14-SigLIP-384")},
    "siglip2": {name.lower(): (name, "webli") for name in (
        "ViT-B-32-SigLIP2-256", "ViT-B-16-SigLIP2", "ViT-B-16-SigLIP2-256", "ViT-B-16-SigLIP2-384", "ViT-B-16-SigLIP2-512",
        "ViT-L-16-SigLIP2-256", "ViT-L-16-SigLIP2-384", "ViT-L-16-SigLIP2-512", "ViT-SO400M-14-SigLIP2", "ViT-SO400M-14-SigLIP2-378",
        "ViT-SO400M-16-SigLIP2-256", "ViT-SO400M-16-SigLIP2-384", "ViT-SO400M-16-SigLIP2-512", "ViT-gopt-16-SigLIP2-256",
        "ViT-gopt-16-SigLIP2-384")},
    "eva": {
        "eva01-g-14": ("EVA01-g-14", "laion400m_s11b_b41k"), "eva01-g-14-plus": ("EVA01-g-14-plus", "merged2b_s11b_b114k"),
        "eva02-b-16": ("EVA02-B-16", "merged2b_s8b_b131k"), "eva02-l-14": ("EVA02-L-14", "merged2b_s4b_b131k"),
        "eva02-l-14-336": ("EVA02-L-14-336", "merged2b_s6b_b61k"), "eva02-e-14": ("EVA02-E-14", "laion2b_s4b_b115k"),
        "eva02-e-14-plus": ("EVA02-E-14-plus", "laion2b_s9b_b144k"),
    },
    "mobileclip": {
        "mobileclip-s1": ("MobileCLIP-S1", "datacompdr"), "mobileclip-s2": ("MobileCLIP-S2", "datacompdr"),
        "mobileclip-b": ("MobileCLIP-B", "datacompdr"), "mobileclip-b-lt": ("MobileCLIP-B", "datacompdr_lt"),
    },
    "mobileclip2": {name.lower(): (name, "dfndr2b") for name in (
        "MobileCLIP2-S0", "MobileCLIP2-S2", "MobileCLIP2-S3", "MobileCLIP2-S4", "MobileCLIP2-B", "MobileCLIP2-L-14")},
    "pe": {name.lower(): (name, "meta") for name in (
        "PE-Core-T-16-384", "PE-Core-S-16-384", "PE-Core-B-16", "PE-Core-L-14-336", "PE-Core-bigG-14-448")},
    "clipa": {
        "vit-l-14-clipa": ("ViT-L-14-CLIPA", "datacomp1b"), "vit-l-14-clipa-336": ("ViT-L-14-CLIPA-336", "datacomp1b"),
        "vit-h-14-clipa": ("ViT-H-14-CLIPA", "datacomp1b"), "vit-h-14-clipa-336": ("ViT-H-14-CLIPA-336", "datacomp1b"),
        "vit-h-14-clipa-336-laion2b": ("ViT-H-14-CLIPA-336", "laion2b"),
        "vit-bigg-14-clipa": ("ViT-bigG-14-CLIPA", "datacomp1b"), "vit-bigg-14-clipa-336": ("ViT-bigG-14-CLIPA-336", "datacomp1b"),
    },
    "coca": {
        "coca-vit-b-32-laion2b": ("coca_ViT-B-32", "laion2b_s13b_b90k"),
        "coca-vit-b-32-mscoco": ("coca_ViT-B-32", "mscoco_finetuned_laion2b_s13b_b90k"),
        "coca-vit-l-14-laion2b": ("coca_ViT-L-14", "laion2b_s13b_b90k"),
        "coca-vit-l-14-mscoco": ("coca_ViT-L-14", "mscoco_finetuned_laion2b_s13b_b90k"),
    },
    "text": {
        "roberta-vit-b-32-laion2b": ("roberta-ViT-B-32", "laion2b_s12b_b32k"),
        "xlm-roberta-base-vit-b-32-laion5b": ("xlm-roberta-base-ViT-B-32", "laion5b_s13b_b90k"),
        "xlm-roberta-large-vit-h-14-laion5b": ("xlm-roberta-large-ViT-H-14", "frozen_laion5b_s13b_b90k"),
    },
}

# Repositories that open_clip 3.3.0 has no config for: the config is the one on the hub, in transformers' form.
HUB_CONFIG = {
    "siglip2": {
        "siglip2-base-patch16-naflex": ("google/siglip2-base-patch16-naflex", "pictures keep their proportions: NaFlex, up to 256 patches of 16 px"),
        "siglip2-so400m-patch16-naflex": ("google/siglip2-so400m-patch16-naflex", "pictures keep their proportions: NaFlex, up to 256 patches of 16 px"),
    },
}
