/**
 * A field of objects that others need not know of: what a WeakMap does, kept in the objects themselves.
 *
 * In a WeakMap that lives long, V8 lets entries grow old with the table, so that objects which were used for a millisecond
 * are freed by full collections only.
 *
 *     const piecesOf = new SideField<Tensor, readonly Uint8Array[]>();
 *     piecesOf.set(tensor, pieces);
 */
export class SideField<O extends object, V> {
  readonly #field = newField<V>();

  get(object: O): V | undefined {
    return this.#field.get(object);
  }

  set(object: O, value: V): void {
    this.#field.set(object, value);
  }
}

/** A constructor that returns another object gives its private fields to that one. */
// oxlint-disable-next-line no-extraneous-class
class Given {
  constructor(object: object) {
    // oxlint-disable-next-line no-constructor-return
    return object;
  }
}

function newField<V>(): { get(object: object): V | undefined; set(object: object, value: V): void } {
  return class Field extends Given {
    #value: V;

    constructor(object: object, value: V) {
      super(object);
      this.#value = value;
    }

    static get(object: object): V | undefined {
      return #value in object ? object.#value : undefined;
    }

    static set(object: object, value: V): void {
      if (#value in object) object.#value = value;
      else void new Field(object, value);
    }
  };
}
