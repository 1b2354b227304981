import { Ajv } from "ajv";
import { Ajv2020 } from "ajv/dist/2020.js";
import formats from "ajv-formats";
import asyncApiSpecs from "@asyncapi/specs";
import { Validator } from "@seriousme/openapi-schema-validator";

/** A document, or a schema in it. */
export type Json = { readonly [member: string]: unknown };

/** What a document has against a value, in sentences; nothing where the value is as the document says. */
export type Judge = (value: unknown) => readonly string[];

/** What the official schema of AsyncAPI 3.0 has against a document. */
export function asyncApiFaults(document: unknown): readonly string[] {
  asyncApiJudge ??= faultsOf(
    addFormats(new Ajv({ strict: false, logger: false })),
    asyncApiSpecs.schemasWithoutId["3.0.0"],
  );
  return asyncApiJudge(document);
}

/** Made once: it takes a second. */
let asyncApiJudge: Judge | undefined;
const openApiValidator = new Validator();

/** What that of OpenAPI 3.1 has against it, and whether its references lead anywhere. */
export async function openApiFaults(document: Json): Promise<readonly string[]> {
  const { valid, errors } = await openApiValidator.validate({ ...document });
  if (!valid) return [JSON.stringify(errors)];
  return openApiValidator.version === "3.1" ? [] : [`it is of version ${openApiValidator.version}`];
}

const DOCUMENT = "https://document.example/";

/** Judges values by the schemas of a document, which are named by JSON pointers. */
export class DocumentJudge {
  readonly #ajv: Ajv | Ajv2020;
  readonly #known = new Map<string, Judge>();

  constructor(document: Json, dialect: "draft-07" | "draft-2020-12") {
    const options = { strict: true, strictTypes: false, strictRequired: false, allErrors: true } as const;
    this.#ajv = addFormats(dialect === "draft-07" ? new Ajv(options) : new Ajv2020(options));
    // The document is walked through as if it were a schema, on the way to those that are some.
    this.#ajv.addVocabulary(Object.keys(document));
    this.#ajv.addSchema(document, DOCUMENT);
  }

  /** The judge of the schema at `pointer`, such as `#/components/schemas/Task`. Throws where it is no strict schema. */
  at(pointer: string): Judge {
    const known = this.#known.get(pointer);
    if (known !== undefined) return known;
    const judge = faultsOf(this.#ajv, { $ref: `${DOCUMENT}${pointer}` });
    this.#known.set(pointer, judge);
    return judge;
  }
}

/** Adds the formats. The package is one of CommonJS, whose default export the compiler takes for the module. */
function addFormats<A extends Ajv | Ajv2020>(ajv: A): A {
  formats.default(ajv);
  return ajv;
}

function faultsOf(ajv: Ajv | Ajv2020, schema: object): Judge {
  const validate = ajv.compile(schema);
  return (value) =>
    validate(value)
      ? []
      : (validate.errors ?? []).map(({ instancePath, message, params }) =>
        `${instancePath}: ${message} ${JSON.stringify(params)}`
      );
}
